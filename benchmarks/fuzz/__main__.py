"""Attacks the command line with mutated recipes, arguments, source files and server answers.

    python -m benchmarks.fuzz [--cases 10000] [--seed 0] [--workers 2] [--only recipe:17]

Each case is a command line in a folder of its own, run through the real entry point in a worker
process (every 40th as a process of its own). Looked for are: an exit code other than 0, 2 and 3,
a traceback or a panic of a library, a command that does not end, a write outside of the folder of
the case, a connection to an address that neither the recipe nor the arguments name. Where this
runs as root, everything outside of the folder is read-only for the processes. A command that is
at work for `SECONDS` is interrupted as by Ctrl-C, and hangs if it then does not end.

Prints counts by kind and exit code, and a line for each failure that repeats it.
"""

import argparse
import itertools
import json
import os
import queue
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import PIPE

from benchmarks.commands import ROOT, SYNTHMILL, Workplace, fault_of
from benchmarks.fuzz.cases import SHARES, Case
from benchmarks.fuzz.server import HostileServer

SECONDS, GRACE = 40.0, 20.0  # ours: the longest command of the sound cases takes two
CASES_PER_WORKER = 250  # then a new process, so that what libraries keep does not add up
OWN_PROCESS = 40  # every such case
INTERRUPTED = (1, 130)  # a command that Ctrl-C ends: click's Abort, or the signal


class Sandbox:
    """A folder in which cases run, one after another, in a worker process."""

    def __init__(self, folder: Path, template: Path, url: str) -> None:
        self._folder, self._template, self._url = folder, template, url
        for name in ("home", "tmp", "cases"):
            (folder / name).mkdir(parents=True)
        self._log = folder / "heard.jsonl"
        self._errors = folder / "stderr.txt"
        self._worker: subprocess.Popen[bytes] | None = None
        self._left = 0

    def run(self, case: Case) -> tuple[str, str | None]:
        """The exit code (or how else it ended), and what is wrong."""
        place = self._folder / "cases" / f"{case.kind}-{case.number}"
        arguments = case.build(place, self._template, self._url)
        self._log.write_bytes(b"")
        self._errors.write_bytes(b"")
        if case.number % OWN_PROCESS == 0:
            code, said, interrupted = self._process(arguments, place)
        else:
            code, said, interrupted = self._in_worker(arguments, place)
        fault = fault_of(code, said, self._errors.read_text("utf-8", "replace"))
        if interrupted and code in INTERRUPTED and "Traceback" not in said:
            fault = None
        fault = fault or self._trespass(case, place, arguments)
        shutil.rmtree(place, ignore_errors=True)
        for left in (self._folder / "tmp").iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        end = "killed" if code is None else f"{'interrupted, ' if interrupted else ''}{code}"
        last = said.strip().splitlines()[-1:] or [""]
        shown = " ".join(json.dumps(word) for word in arguments)[:300]
        return end, f"{fault}: {shown}: {last[0][:300]}" if fault else None

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()
            self._worker = None

    def _start(self, command: Sequence[str], cwd: Path) -> "subprocess.Popen[bytes]":
        inside = str(self._folder)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SYNTHMILL_", "PREFECT_"))}
        environment = {
            **kept,
            "PYTHONPATH": f"{ROOT / 'benchmarks' / 'fuzz' / 'path'}:{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "FUZZ_LOG": str(self._log),
            "FUZZ_INSIDE": inside,
            "HOME": str(self._folder / "home"),
            "TMPDIR": str(self._folder / "tmp"),
            "RUST_BACKTRACE": "0",
        }
        jail = ["unshare", "-m", "sh", "-c", READ_ONLY, inside] if os.getuid() == 0 else []
        with self._errors.open("ab") as errors:
            return subprocess.Popen(
                [*jail, *command], cwd=cwd, env=environment, stdin=PIPE, stdout=PIPE, stderr=errors
            )

    def _process(self, arguments: list[str], place: Path) -> tuple[int | None, str, bool]:
        process = self._start([*SYNTHMILL, *arguments], place)
        interrupted = False
        try:
            said = process.communicate(timeout=SECONDS)[0]
        except subprocess.TimeoutExpired:
            interrupted = True
            process.send_signal(signal.SIGINT)
            try:
                said = process.communicate(timeout=GRACE)[0]
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                return None, "", True
        return process.returncode, said.decode("utf-8", "replace"), interrupted

    def _in_worker(self, arguments: list[str], place: Path) -> tuple[int | None, str, bool]:
        if self._worker is None or self._left == 0:
            self.close()
            command = [sys.executable, "-m", "benchmarks.fuzz.worker"]
            self._worker, self._left = self._start(command, ROOT), CASES_PER_WORKER
        self._left -= 1
        worker = self._worker
        assert worker.stdin is not None and worker.stdout is not None
        line = json.dumps({"folder": str(place), "arguments": arguments})
        worker.stdin.write(line.encode() + b"\n")
        worker.stdin.flush()
        interrupted = False
        for seconds in (SECONDS, GRACE):
            if self._readable(seconds):
                answer = worker.stdout.readline()
                if not answer:
                    break
                code, said = json.loads(answer)
                return code, said, interrupted
            interrupted = True
            worker.send_signal(signal.SIGINT)
        ended = worker.poll()
        self.close()
        return ended, "", interrupted

    def _readable(self, seconds: float) -> bool:
        assert self._worker is not None and self._worker.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._worker.stdout, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def _trespass(self, case: Case, place: Path, arguments: list[str]) -> str | None:
        """The first thing that the processes did and may not do."""
        named = " ".join(arguments)
        for name in ("x.yaml", "cards.yaml"):
            if (place / name).is_file():
                named += (place / name).read_text("utf-8", "replace")
        for line in self._log.read_text().splitlines():
            event, what = json.loads(line)
            if event != "socket.connect":
                return f"{event} of {what}"
            if f"http://{what}" != self._url and what.rpartition(":")[0] not in named:
                return f"connection to {what}"
        known = {"factory", "x.yaml", "problems.jsonl", "pages"}
        strange = {p.name for p in place.iterdir() if not p.name.startswith("x.")} - known
        if case.kind != "arguments" and strange:
            return f"new files {sorted(strange)}"
        return None


READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"'


def prepare(folder: Path, url: str) -> None:
    """What commands find: two datasets with rejected rows, versions, a tag and a run."""
    place = Workplace(folder, f"{url}/good/v1")
    place.write_sources(2, 3)
    place.write_recipe("cards", filters=["exact_content"], engine={"batch_rows": 2})
    place.write_recipe("other")
    for command in (
        ("run", "cards.yaml"), ("run", "other.yaml"), ("tag", "cards", "good", "1"),
        ("refilter", "cards", "--with", "length", "--set", "length.max_words=3"),
    ):  # fmt: skip
        done = place.start(*command)
        if done.wait(120) != 0:
            raise SystemExit(f"{command} fails: {done.errors}")
    shutil.rmtree(folder / "tmp")


def cases(number: int, seed: int) -> Iterator[Case]:
    """As many cases, the kinds by their shares and mixed."""
    counts = {kind: round(number * share) for kind, share in SHARES.items()}
    counts["answer"] += number - sum(counts.values())
    columns = [[Case(kind, n, seed) for n in range(count)] for kind, count in counts.items()]
    for row in itertools.zip_longest(*columns):
        yield from filter(None, row)


def attack(
    wanted: Iterator[Case], folder: Path, workers: int
) -> tuple[Counter[tuple[str, str]], list[tuple[Case, str]]]:
    """Run cases; counts by kind and end, and what is wrong with which case.

    Ctrl-C ends it after the cases at work.
    """
    counts: Counter[tuple[str, str]] = Counter()
    faults: list[tuple[Case, str]] = []
    waiting: queue.SimpleQueue[Case | None] = queue.SimpleQueue()
    stopped = threading.Event()
    for case in (*wanted, *[None] * workers):
        waiting.put(case)

    def work(sandbox: Sandbox) -> None:
        try:
            while not stopped.is_set() and (case := waiting.get()) is not None:
                end, fault = sandbox.run(case)
                counts[case.kind, end] += 1
                if fault:
                    faults.append((case, fault))
                    print(f"--seed {case.seed} --only {case.name}  {fault}", flush=True)
        finally:
            sandbox.close()

    with HostileServer() as server:
        prepare(folder / "template", server.url)
        threads = [
            threading.Thread(
                target=work, args=[Sandbox(folder / f"w{n}", folder / "template", server.url)]
            )
            for n in range(workers)
        ]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                thread.join()
        except KeyboardInterrupt:
            stopped.set()
            for thread in threads:
                thread.join()
    return counts, faults


def main() -> None:
    """Parse the arguments, attack, print; the exit code is 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", action="append", help="a case, as a failure names it")
    given = parser.parse_args()
    wanted = cases(given.cases, given.seed)
    if given.only:
        named = (name.partition(":") for name in given.only)
        wanted = iter([Case(kind, int(number), given.seed) for kind, _, number in named])
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        counts, faults = attack(wanted, Path(folder), given.workers)
    print(f"{sum(counts.values()):,} cases in {time.monotonic() - began:,.0f} s")
    for kind in SHARES:
        ends = {end: n for (of, end), n in sorted(counts.items()) if of == kind}
        print(f"  {kind:<10}", ", ".join(f"exit {end}: {n:,}" for end, n in ends.items()))
    print(f"{len(faults)} failures")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
