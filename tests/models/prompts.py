"""Prompts of the tests: one of free text, one of a typed answer."""

from random import Random

from synthmill.models.offline import answers
from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record


class Say(Prompt[str]):
    """Asks for free text; its template is beside this file."""

    topic: str


@answers(Say)
def say(prompt: Say, rng: Random) -> str:
    return f"{prompt.topic} {rng.randint(0, 999)}"


class Opinion(Record):
    """A typed answer."""

    verdict: str
    score: int


class Judge(Prompt[Opinion]):
    """Asks for an `Opinion`."""

    text: str
