"""Runs a command that ends when its starter ends.

    python -m synthmill.models.process_guard COMMAND...

The starter holds the other end of this process's standard input. When that closes (the starter
ended, also by SIGKILL), or when this process gets SIGTERM, the command and all its children are
ended: by SIGTERM first, and by SIGKILL after `GRACE_SECONDS`. Start it in a process group of its
own.
"""

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

GRACE_SECONDS = 10.0


def main() -> int:
    """Run the command in the arguments; its exit code is ours."""
    ending = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ending.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    command = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_wait_for_starter, args=(ending,), daemon=True).start()
    while not ending.is_set():
        try:
            return command.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
    os.killpg(0, signal.SIGTERM)  # reaches this process too, which is ending already
    try:
        return command.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)
        return 1


def _wait_for_starter(ending: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    ending.set()


if __name__ == "__main__":
    sys.exit(main())
