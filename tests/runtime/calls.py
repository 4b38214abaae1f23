"""Functions that misbehave in a worker process, and one that works."""

import ctypes
import os
import subprocess
import time


class Unportable(Exception):
    """An exception that pickle can write but not read."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def raise_unportable() -> None:
    raise Unportable("one", "two")


def work(seconds: float) -> int:
    """Take some time; the process that did it."""
    time.sleep(seconds)
    return os.getpid()


def hang_in_c(seconds: float) -> None:
    """Hold the interpreter's lock in C code, so that no thread of the process runs."""
    ctypes.PyDLL(None).sleep(int(seconds))


def burn(seconds: float) -> int:
    """Use processor time."""
    end, turns = time.process_time() + seconds, 0
    while time.process_time() < end:
        turns += 1
    return turns


def start_child() -> int:
    """Leave a child behind and hang; its id goes to a file through the environment."""
    child = subprocess.Popen(["sleep", "600"])
    with open(os.environ["CHILD_FILE"], "w") as file:  # noqa: PTH123
        file.write(str(child.pid))
    time.sleep(600)
    return child.pid


def act(deed: str) -> str:
    """What the deed says."""
    match deed:
        case "hang":
            time.sleep(600)
        case "hang in C":
            hang_in_c(600)
        case "die":
            os._exit(3)
        case "eat memory":
            return str(len(bytearray(2**31)))
        case "say too much":
            return "x" * 2**21
        case "raise":
            raise ZeroDivisionError("division by zero")
    return f"done {deed}"


slow_to_load = 0


def load_slowly() -> None:
    """Take longer than a call may."""
    global slow_to_load
    time.sleep(1.5)
    slow_to_load += 1


def loaded() -> int:
    """How often `load_slowly` ran in this process."""
    return slow_to_load


def fail_to_load() -> None:
    raise RuntimeError("no such library")
