"""Every command under every fault of a machine: one clear line or none, and nothing is lost.

    python -m benchmarks.faults [--tries 2] [--seed 0] [--stopped 60]
                                [--command run] [--fault "full disk"]

Faults:

- full disk: a file system of 24 MB is filled at a random moment, but for 0 to 200 KB (needs root);
- read-only: the file system of the workplace is made read-only (needs root);
- clock back: the clock was set back by 30 days after everything had been written. A program sees
  this as files and log entries from the future, and so it is made: the times of all files and
  those in the log are moved. The system's clock itself is not touched;
- few files: 64 file descriptors;
- little memory: the smallest `ulimit -d` that the start allows, and the smallest `ulimit -v`;
- stopped: SIGSTOP at a random moment, SIGCONT a minute later.

A command may end with exit code 0, or 3, or 2 and a line that says why; and never with a traceback.
On a full disk delta-rs adds lines of its own ("panicked at"), which is shown as `+`. Then, the
fault gone: the catalog opens, every version that there was reads the same rows, and the same
command succeeds. Prints a table of outcomes and what failed.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random

import duckdb

from benchmarks.commands import Workplace, fault_of
from synthmill.store.dataset import Dataset
from synthmill.testing import ScriptedServer

LIMITS = ("--with", "length", "--readmit", "--set", "length.max_words=3")
COMMANDS: dict[str, tuple[str, ...]] = {
    "check": ("check", "cards.yaml"),
    "preview": ("preview", "cards.yaml"),
    "run": ("run", "fresh.yaml"),
    "resume": ("resume", "RUN", "--target", "40"),
    "ls": ("ls",),
    "log": ("log", "cards"),
    "show": ("show", "cards"),
    "why": ("why", "cards"),
    "diff": ("diff", "cards", "1", "2"),
    "sql": ("sql", "SELECT count(*) FROM cards"),
    "schema": ("schema", "cards"),
    "refilter": ("refilter", "cards", *LIMITS),
    "merge": ("merge", "cards", "other", "--into", "both"),
    "copy": ("copy", "cards", "second"),
    "rename": ("rename", "other", "renamed"),
    "drop": ("drop", "other", "--yes"),
    "tag": ("tag", "cards", "good", "1"),
    "export": ("export", "cards", "--to", "datasets", "-o", "out", "--force"),
    "card": ("card", "cards", "-o", "card"),
    "delete-source": ("delete-source", "cards", "*/000.jsonl", "--yes"),
    "maintain": ("maintain",),
    "catalog": ("catalog", "rebuild"),
    "init": ("init", "project"),
}
ONCE = ("merge", "copy", "rename", "drop", "init")  # they refuse what is there, or gone, already
FINDS = ("check",)  # it finds the disk too small, and says so on stdout
DISK_MB = 24
DAYS_BACK = 30
FAULTS = (
    "full disk", "read-only", "clock back", "few files", "memory -d", "memory -v", "stopped",
)  # fmt: skip
MOUNTED = ("full disk", "read-only")


def prepare(folder: Path, url: str) -> Workplace:
    """A workplace with two datasets of several versions, and a run that can be resumed."""
    place = Workplace(folder, url)
    place.write_sources(6, 8)
    place.write_recipe("cards", target=20)
    place.write_recipe("other", target=20)
    place.write_recipe("fresh", target=40)
    for command in (
        ("run", "cards.yaml"), ("run", "other.yaml"), ("delete-source", "cards", "*/001.jsonl",
        "--yes"),
    ):  # fmt: skip
        done = place.run(*command)
        if done.process.returncode != 0:
            raise SystemExit(f"{command} fails: {done.errors}")
    return place


def versions(place: Workplace) -> dict[str, dict[int, list[str]]]:
    """The ids of the rows of every version of every dataset."""
    found = {}
    for name in place.home.dataset_names():
        dataset = Dataset.open(place.home, name)
        found[name] = {
            number: sorted(dataset.read(number, None, ["id"]).read_all().column(0).to_pylist())
            for number in range(dataset.version + 1)
        }
    return found


@contextmanager
def copied(template: Workplace, fault: str, folder: Path) -> Iterator[Workplace]:
    """A copy of a workplace, on a small file system of its own where the fault needs one."""
    disk = folder / "disk"
    disk.mkdir(parents=True)
    if fault in MOUNTED:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk)]
        subprocess.run(mount, check=True)
    try:
        shutil.copytree(template.folder, disk / "place")
        yield Workplace(disk / "place", template.url, "../../tmp")
    finally:
        if fault in MOUNTED:
            subprocess.run(["umount", "-l", str(disk)], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def fill(disk: Path, leave: int, ended: threading.Event, moment: float) -> None:
    """Fill a file system at a moment, and keep it full until the command has ended."""
    ended.wait(moment)
    with (disk / "filler").open("ab") as filler:
        while not ended.is_set():
            free = shutil.disk_usage(disk).free - leave
            if free > 0:
                try:
                    filler.write(b"\0" * free)
                    filler.flush()
                except OSError:
                    pass
            ended.wait(0.01)
    (disk / "filler").unlink()


def set_clock_back(place: Workplace) -> None:
    """Move everything that was written into the future."""
    ahead = DAYS_BACK * 24 * 3600
    for entry in place.home.path.rglob("_delta_log/*.json"):
        actions = [json.loads(line) for line in entry.read_text().splitlines()]
        for action in actions:
            if "commitInfo" in action:
                action["commitInfo"]["timestamp"] += 1000 * ahead
            if "add" in action:
                action["add"]["modificationTime"] += 1000 * ahead
        entry.write_text("".join(json.dumps(action) + "\n" for action in actions))
    for path in place.home.path.rglob("*"):
        then = path.stat().st_mtime + ahead
        os.utime(path, (then, then))


def limits(fault: str) -> Callable[[], None] | None:
    """What is called in the new process."""
    which, most = {
        "few files": (resource.RLIMIT_NOFILE, 64),
        "memory -d": (resource.RLIMIT_DATA, 2**30 + 2**20),
        "memory -v": (resource.RLIMIT_AS, 4 * 10**9 + 2**20),
    }.get(fault, (None, 0))
    if which is None:
        return None
    return lambda: resource.setrlimit(which, (most, most))


def disturbed(
    place: Workplace,
    arguments: tuple[str, ...],
    fault: str,
    rng: Random,
    stopped: float,
    usual: float,
) -> tuple[int | None, str, str]:
    """Run a command under a fault; its exit code and what it said.

    `usual` are the seconds that it takes, among which the random moments are.
    """
    disk, ended = place.folder.parent, threading.Event()
    filler = threading.Thread(
        target=fill, args=[disk, rng.choice((0, 4096, 20_000, 70_000, 200_000)), ended,
        rng.uniform(0, usual)]
    )  # fmt: skip
    if fault == "clock back":
        set_clock_back(place)
    if fault == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    if fault == "full disk":
        filler.start()
    command = place.start(*arguments, before=limits(fault))
    if fault == "stopped":
        time.sleep(rng.uniform(0.2, usual))
        command.process.send_signal(signal.SIGSTOP)
        time.sleep(stopped)
        command.process.send_signal(signal.SIGCONT)
    code = command.wait(180)
    ended.set()
    if fault == "full disk":
        filler.join()
    if fault == "read-only":
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    return code, command.output, command.errors


def losses(place: Workplace, before: dict[str, dict[int, list[str]]], name: str) -> Iterator[str]:
    """What is lost or cannot be read."""
    now = versions(place)
    for dataset, rows in before.items():
        if dataset not in now and name in ("drop", "rename"):
            continue
        for number, ids in rows.items():
            if now.get(dataset, {}).get(number) != ids:
                yield f"version {number} of {dataset} is another one"
    try:
        with duckdb.connect(str(place.home.catalog), read_only=True) as catalog:
            catalog.execute("SELECT count(*) FROM versions").fetchall()
    except duckdb.Error as error:
        yield f"the catalog does not open: {error}"


def trial(
    template: Workplace, name: str, fault: str, folder: Path, rng: Random, stopped: float
) -> tuple[str, list[str]]:
    """The outcome in a word, and what is wrong."""
    with copied(template, fault, folder) as place:
        before = versions(place)
        run = next(r for r in place.home.run_ids() if r.startswith("cards-"))
        arguments = tuple(run if word == "RUN" else word for word in COMMANDS[name])
        began = time.monotonic()
        place.run("log", "cards")
        usual = 1.5 * (time.monotonic() - began)  # most commands take somewhat longer
        code, output, errors = disturbed(place, arguments, fault, rng, stopped, usual)
        found = fault_of(code, output, errors)
        noisy = found == "panicked at" and fault == "full disk"
        wrong = [found] if found and not noisy else []
        said = [line for line in errors.splitlines() if line.startswith("synthmill: ")]
        if code == 2 and len(said) != 1 and name not in FINDS:
            wrong.append(f"exit code 2 with {len(said)} lines")
        wrong += losses(place, before, name)
        if not (code == 0 and name in ONCE) and not (fault in MOUNTED and name in FINDS):
            again = place.run(*arguments)
            if again.process.returncode != 0:
                wrong.append(f"again: exit code {again.process.returncode}: {again.errors[-200:]}")
        wrong += losses(place, before, name)
    ends = {0: "done", 2: "line", 3: "stopped", None: "hangs"}
    outcome = ends.get(code, f"code {code}") + "+" * noisy
    said = [line.replace(str(folder), "")[-200:] for line in said]
    return outcome, [f"{name}, {fault}: {text} {said}" for text in wrong]


def measure(
    commands: list[str], faults: list[str], tries: int, seed: int, stopped: float
) -> tuple[dict[tuple[str, str], list[str]], list[str]]:
    """Outcomes by command and fault, and everything that is wrong."""
    outcomes: dict[tuple[str, str], list[str]] = {}
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as top, ScriptedServer() as server:
        template = prepare(Path(top) / "template", server.url)

        def one(name: str, fault: str, number: int) -> None:
            rng, folder = Random(f"{seed}/{name}/{fault}/{number}"), Path(top) / name / fault
            end, found = trial(template, name, fault, folder / str(number), rng, stopped)
            outcomes.setdefault((name, fault), []).append(end)
            wrong.extend(found)
            for text in found:
                print(text, flush=True)

        # Stopped ones sleep: they are tried side by side.
        with ThreadPoolExecutor(2) as few, ThreadPoolExecutor(12) as many:
            waiting = [
                (many if fault == "stopped" else few).submit(one, name, fault, number)
                for fault in faults
                for name in commands
                for number in range(tries if fault in ("full disk", "stopped") else 1)
            ]
            for result in waiting:
                result.result()
    return outcomes, wrong


def main() -> None:
    """Parse the arguments, try, print; the exit code is 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tries", type=int, default=2, help="where a moment is random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stopped", type=float, default=60.0, help="seconds")
    parser.add_argument("--command", action="append", choices=COMMANDS)
    parser.add_argument("--fault", action="append", choices=FAULTS)
    given = parser.parse_args()
    faults = given.fault or list(FAULTS)
    if os.getuid() != 0:
        print(f"not tried, which needs root: {', '.join(f for f in faults if f in MOUNTED)}")
        faults = [fault for fault in faults if fault not in MOUNTED]
    commands = given.command or list(COMMANDS)
    outcomes, wrong = measure(commands, faults, given.tries, given.seed, given.stopped)
    print(f"{'':<14}" + "".join(f"{fault:<15}" for fault in faults))
    for name in commands:
        cells = (", ".join(sorted(set(outcomes[name, fault]))) for fault in faults)
        print(f"{name:<14}" + "".join(f"{cell:<15}" for cell in cells))
    print(f"{sum(map(len, outcomes.values()))} trials, {len(wrong)} failures")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
