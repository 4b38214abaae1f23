"""Install Synthmill with pip into this interpreter's environment, and say how far it is.

    python scripts/install.py [EXTRA ...]

On a terminal one line is redrawn; elsewhere a line comes every few seconds. What pip printed is
shown where it fails. It needs the standard library alone.
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS_BETWEEN_LINES = 5.0
WIDTH = 100
UNPACKING = "unpacking"
FOUND = re.compile(r"\s*(?:Collecting|Requirement already satisfied:) ([\w.-]+)")
FETCHED = re.compile(r"\s*(?:Downloading|Using cached) ([^/\s]+?)-\d\S*(?: \((.+)\))?")


def steps(lines: Iterable[str]) -> Iterator[str]:
    """What pip does, for each of its lines that says something new."""
    found = 0
    for line in lines:
        if match := FOUND.match(line):
            found += 1
            yield f"{found} packages found, {match[1]}"
        elif match := FETCHED.match(line):
            size = f" ({match[2]})" if match[2] else ""
            yield f"{found} packages found, fetching {match[1]}{size}"
        elif line.startswith("Installing collected packages"):
            yield f"{UNPACKING} {line.count(',') + 1} packages, the longest part"


def _kept(lines: Iterable[str], said: list[str]) -> Iterator[str]:
    for line in lines:
        said.append(line)
        yield line


def main(extras: list[str]) -> int:
    """Run pip; its exit status."""
    what = f"{ROOT}[{','.join(extras)}]" if extras else str(ROOT)
    print("Installing Synthmill and its libraries: one to four minutes.", flush=True)
    command = [sys.executable, "-m", "pip", "install", "--progress-bar", "off", "--editable", what]
    pip = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    assert pip.stdout is not None
    said: list[str] = []
    begun = shown = time.monotonic()
    redraws = sys.stdout.isatty()
    for step in steps(_kept(pip.stdout, said)):
        now = time.monotonic()
        line = f"  {now - begun:3.0f} s  {step}"
        if redraws:
            print("\r" + line[:WIDTH].ljust(WIDTH), end="", flush=True)
        elif now >= shown + SECONDS_BETWEEN_LINES or step.startswith(UNPACKING):
            print(line, flush=True)
            shown = now
    if redraws:
        print("\r" + " " * WIDTH, end="\r")
    status = pip.wait()
    if status:
        print("".join(said), end="")
    else:
        print(f"Installed in {time.monotonic() - begun:.0f} s.", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
