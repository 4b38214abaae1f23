"""Kills commands at random moments, with four writers at work on the same data folder.

    python -m benchmarks.kills [--kills 200] [--seed 0]

Killed with SIGKILL, in turns: run, resume, refilter, delete-source, merge, export, maintain and
`catalog rebuild`. Meanwhile four other processes run recipes into the same data folder, two into
each of two datasets, and are not killed. After each kill the catalog must open. At the end every
command is completed, and looked for are:

- rows, of every dataset and export, that differ from those of an undisturbed workplace;
- processes that the killed ones left behind;
- files that no version refers to, temporaries and folders aside, after a `maintain` of the next
  day (the files are made a day older, because younger ones are never deleted).
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import duckdb
import psutil

from benchmarks.commands import Command, Workplace, fault_of
from synthmill.store.dataset import Dataset
from synthmill.store.log import read_log
from synthmill.testing import ScriptedServer

FILES, PROBLEMS = 12, 8
DELETED = FILES - 2  # files whose rows are deleted at most, so that some are left
WRITERS = 4
MARK = "SYNTHMILL_BENCHMARK"
DAY = 25 * 3600
RUN_FILTERS = ("--with", "length,exact_content", "--readmit", "--set")


class Killer:
    """Kills commands at moments between their start and a little after their usual end."""

    def __init__(self, place: Workplace, seed: int) -> None:
        self.place = place
        self.killed: Counter[str] = Counter()
        self.faults: list[str] = []
        self._rng = Random(seed)
        self._usual: dict[str, float] = {}

    def kill(self, name: str, *arguments: str) -> bool:
        """Start the command and kill it; False where it had ended before."""
        moment = self._rng.uniform(0, 1.1 * self._usual.get(name, 1.5))
        command, began = self.place.start(*arguments), time.monotonic()
        try:
            command.process.wait(moment)
        except subprocess.TimeoutExpired:
            command.process.kill()
        taken = time.monotonic() - began
        if command.wait(10) == -9:
            self.killed[name] += 1
            self._look(name)
            return True
        # It was faster than before: next time the moments are earlier.
        self._usual[name] = taken
        self._check(name, command)
        return False

    def complete(self, name: str, *arguments: str) -> Command:
        """Run the command to its end, which must be a good one."""
        began = time.monotonic()
        command = self.place.run(*arguments)
        self._usual[name] = time.monotonic() - began
        self._check(name, command)
        return command

    def _check(self, name: str, command: Command) -> None:
        code = command.process.returncode
        fault = fault_of(code, command.output, command.errors)
        if fault or code != 0:
            said = command.errors.strip()[-300:]
            self.faults.append(f"{name} {' '.join(command.arguments)}: {fault or code}: {said}")

    def _look(self, name: str) -> None:
        """After a kill the catalog opens, if it was made before."""
        catalog = self.place.home.catalog
        if catalog.is_file():
            try:
                with duckdb.connect(str(catalog), read_only=True) as connection:
                    connection.execute("SELECT count(*) FROM versions").fetchall()
            except duckdb.Error as error:
                self.faults.append(f"{name}: the catalog does not open: {error}")


class Writers:
    """Processes that run recipes until they are told to stop; `runs` counts them by recipe."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._stopped = threading.Event()
        self.runs: Counter[str] = Counter()
        self.faults: list[str] = []
        self._threads = [threading.Thread(target=self._write, args=[n]) for n in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def _write(self, number: int) -> None:
        name = f"writer{number}"
        while not self._stopped.is_set():
            seed = str(self.runs[name])
            done = self._place.run("run", f"{name}.yaml", "--seed", seed)
            if done.process.returncode != 0:
                self.faults.append(f"{name}: {done.errors.strip()[-300:]}")
            self.runs[name] += 1

    def stop(self) -> None:
        """Wait for the runs at work."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def prepare(folder: Path, url: str) -> Workplace:
    """A workplace with the recipes of the killed commands and of the writers."""
    place = Workplace(folder, url)
    place.environment[MARK] = str(folder)
    place.write_sources(FILES, PROBLEMS)
    place.write_recipe("base")
    place.write_recipe("fresh")
    for number in range(WRITERS):
        source = {"type": "folder", "path": "problems", "skip": 10 * number, "limit": 10}
        changes = {"source": source, "output": {"dataset": f"shared{number % 2}"}}
        place.write_recipe(f"writer{number}", **changes)
    return place


def run_id(place: Workplace, dataset: str) -> str | None:
    """The run that made a dataset, as far as it was saved."""
    for found in place.home.run_ids():
        report = place.home.run(found) / "report.json"
        if report.is_file() and json.loads(report.read_text())["dataset"] == dataset:
            return found
    return None


def attack(killer: Killer, kills: int) -> tuple[int, int]:
    """Kill so many commands, each kind in turns; how many datasets and deletions there were."""
    made, deleted = 0, 0
    names = itertools.cycle(
        ("run", "resume", "refilter", "delete-source", "merge", "export", "maintain", "catalog")
    )
    while killer.killed.total() < kills:
        match next(names):
            case "run":
                dataset = f"fresh{made}"
                killer.kill("run", "run", "fresh.yaml", "--set", f"output.dataset={dataset}")
                made += 1
            case "resume":
                for _ in range(3):
                    if found := run_id(killer.place, dataset):
                        killer.kill("resume", "resume", found)
            case "refilter":
                words = f"length.max_words={3 + 20 * (made % 2)}"
                killer.kill("refilter", "refilter", "base", *RUN_FILTERS, words)
            case "delete-source":
                pattern = f"*/{deleted % DELETED:03}.jsonl"
                killer.kill("delete-source", "delete-source", "base", pattern, "--yes")
                deleted += 1
            case "merge":
                killer.kill("merge", "merge", "base", "shared0", "--into", f"merged{made}")
            case "export":
                out = ("-o", f"out{made % 3}", "--force")
                killer.kill("export", "export", "base", "--to", "datasets", *out)
            case "maintain":
                killer.kill("maintain", "maintain")
            case "catalog":
                killer.kill("catalog", "catalog", "rebuild")
    return made, min(deleted, DELETED)


def finish(killer: Killer, made: int, deleted: int) -> None:
    """Complete what the killed commands were to do."""
    place = killer.place
    for number in range(made):
        if found := run_id(place, f"fresh{number}"):
            killer.complete("resume", "resume", found)
        else:
            dataset = f"output.dataset=fresh{number}"
            killer.complete("run", "run", "fresh.yaml", "--set", dataset)
    last_changes(killer, deleted)
    for path in place.home.path.rglob("*"):
        then = path.lstat().st_mtime - DAY
        os.utime(path, (then, then), follow_symlinks=False)
    killer.complete("maintain", "maintain")


def last_changes(killer: Killer, deleted: int) -> None:
    """What decides the rows of `base`, whatever was done to it before, and an export of them."""
    for number in range(deleted):
        pattern = f"*/{number:03}.jsonl"
        killer.complete("delete-source", "delete-source", "base", pattern, "--yes")
    killer.complete("refilter", "refilter", "base", *RUN_FILTERS, "length.max_words=23")
    out = ("-o", "out0", "--force")
    killer.complete("export", "export", "base", "--to", "datasets", *out)


def differences(calm: Workplace, rough: Workplace, made: int) -> Iterator[str]:
    """Datasets and exports that are not as in the undisturbed workplace."""
    pairs = {"base": "base", "shared0": "shared0", "shared1": "shared1"}
    for name, other in (pairs | {f"fresh{n}": "fresh" for n in range(made)}).items():
        if rough.rows(name) != calm.rows(other):
            yield f"{name}: {len(rough.rows(name))} rows, undisturbed {len(calm.rows(other))}"
    exports = [
        sorted((p.relative_to(place.folder / "out0"), p.stat().st_size)
               for p in (place.folder / "out0").rglob("*.parquet"))
        for place in (calm, rough)
    ]  # fmt: skip
    if [name for name, _ in exports[0]] != [name for name, _ in exports[1]]:
        yield "out0: other files than undisturbed"


def orphans(place: Workplace) -> Iterator[str]:
    """Files that nothing refers to."""
    home = place.home
    for path in [*home.path.rglob("*"), *place.folder.glob(".*"), *place.folder.glob("tmp/*")]:
        hidden = path.name.startswith(".") and path.name not in (".catalog.lock",)
        if (hidden and path.suffix != ".crc") or path.parent.name == "tmp":
            yield f"{path.relative_to(place.folder)}"
    for name in home.dataset_names():
        dataset = Dataset.open(home, name)
        location = Path(dataset.location)
        entries = list(read_log(location, dataset.version))
        known = {location / file.path for entry in entries for file in entry.added}
        yield from (str(path) for path in location.rglob("*.parquet")
                    if path not in known and "_delta_log" not in path.parts)  # fmt: skip
        referred = {
            media.path
            for entry in entries
            for row in dataset.rows(entry.version.version, None)
            for media in row.media
        }
        for path in dataset.media_folder.rglob("*"):
            if path.is_file() and str(path.relative_to(dataset.folder)) not in referred:
                yield f"{path.relative_to(home.path)}"


def left_processes(place: Workplace) -> Iterator[str]:
    """Processes that were started from the workplace and live."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(place.folder):
                yield " ".join(process.cmdline())[:100]
        except psutil.Error:
            continue


def compare(folder: Path, kills: int, seed: int) -> tuple[Counter[str], Counter[str], list[str]]:
    """Disturb one workplace, and not the other; kills by command, runs of the writers, faults."""
    with ScriptedServer(latency=0.01) as server:
        calm, rough = (prepare(folder / name, server.url) for name in ("calm", "rough"))
        killer, still = Killer(rough, seed), Killer(calm, seed)
        killer.complete("run", "run", "base.yaml")
        writers = Writers(rough)
        try:
            time.sleep(5)
            made, deleted = attack(killer, kills)
        finally:
            writers.stop()
        time.sleep(1)
        faults = [f"left at work: {left}" for left in left_processes(rough)]
        finish(killer, made, deleted)
        still.complete("run", "run", "base.yaml")
        still.complete("run", "run", "fresh.yaml")
        for name, runs in writers.runs.items():
            for number in range(runs):
                still.complete("run", "run", f"{name}.yaml", "--seed", str(number))
        last_changes(still, deleted)
        faults += [*killer.faults, *still.faults, *writers.faults]
        faults += [f"differs: {text}" for text in differences(calm, rough, made)]
        faults += [f"orphan: {text}" for text in orphans(rough)]
    return killer.killed, writers.runs, faults


def main() -> None:
    """Parse the arguments, kill, print; the exit code is 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", help="a folder to work in, which stays")
    given = parser.parse_args()
    began = time.monotonic()
    folder = Path(given.keep or tempfile.mkdtemp(prefix="kills-")).absolute()
    killed, runs, faults = compare(folder, given.kills, given.seed)
    counts = ", ".join(f"{name} {count}" for name, count in killed.most_common())
    print(f"{killed.total()} kills in {time.monotonic() - began:,.0f} s: {counts}")
    print(f"{runs.total()} runs of {WRITERS} writers beside them")
    print("\n".join(faults[:50]))
    print(f"{len(faults)} failures")
    if not given.keep:
        shutil.rmtree(folder)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
