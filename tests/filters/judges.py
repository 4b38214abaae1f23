"""Filters and functions that misbehave in a worker process."""

import os
import time

from synthmill.filters.base import Verifier
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class Misbehaving(Verifier):
    """Does what the candidate's answer says."""

    name = "misbehaving"
    cost = "cpu"
    time_limit = 1.0

    def judge(self, candidate: Candidate) -> Verdict:
        match candidate.answer:
            case "hang":
                time.sleep(60)
            case "hang outside Python":
                pow(10, 10**9)
            case "die":
                os._exit(7)
            case "eat memory":
                return self.verdict("pass", detail=str(len(bytearray(2**33))))
            case "raise":
                raise Unportable("one", "two")
            case "answer something else":
                return "pass"  # type: ignore[return-value]
        return self.verdict("pass")


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
