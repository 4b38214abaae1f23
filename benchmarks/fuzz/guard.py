"""An audit hook that notes what a process and its children write, start and connect to.

`install` is called by `sitecustomize.py`, which `PYTHONPATH` of the attacked processes names. It
notes, one JSON line each, to the file `FUZZ_LOG`: connections to addresses, and writes outside of
the folder `FUZZ_INSIDE`. Libraries in C and Rust are not heard; where this program runs as root,
they find everything else read-only (`__main__`).
"""

import json
import os
import sys
from typing import Any

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate",
    "os.chmod", "os.chown", "os.utime", "os.mkfifo", "os.mknod",
}  # fmt: skip
PATHS = {"os.rename": 2, "os.link": 2, "os.symlink": 2}
HARMLESS = ("/dev/null", "/dev/tty", "/dev/shm/", "/proc/self/")


def install() -> None:
    """Begin to listen, until the process ends."""
    log = os.open(os.environ["FUZZ_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    inside = os.environ["FUZZ_INSIDE"].rstrip("/") + "/"

    def note(event: str, what: object) -> None:
        os.write(log, (json.dumps([event, str(what)]) + "\n").encode())

    def look(event: str, path: Any) -> None:
        if isinstance(path, int) or path is None:
            return
        full = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - links are not followed
        if not f"{full}/".startswith(inside) and not full.startswith(HARMLESS):
            note(event, full)

    def hear(event: str, given: tuple[Any, ...]) -> None:
        if event == "open":
            if isinstance(given[2], int) and given[2] & WRITES:
                look(event, given[0])
        elif event in CHANGES:
            # os.symlink(to, at) makes a link; where it leads to is nothing that is written.
            first = 1 if event == "os.symlink" else 0
            for path in given[first : PATHS.get(event, 1)]:
                look(event, path)
        elif event == "socket.connect" and isinstance(given[1], tuple):
            note(event, f"{given[1][0]}:{given[1][1]}")
        elif event == "os.system":
            note(event, given[0])

    sys.addaudithook(hear)
