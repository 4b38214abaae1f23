"""A generator without a model, and a source: problems about greatest common divisors.

The recipe beside it names them `./gcd.py:Gcd` and `./gcd.py:Pairs`.
"""

import math
from collections.abc import AsyncGenerator, Iterator
from itertools import count
from random import Random

from pydantic import Field

from synthmill.generators.base import Context, Generator, Task
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Source

REWARD = "./gcd_reward.py:compute_score@1"


class Pair(Record):
    """An item of the source."""

    key: str
    a: int
    b: int


class PairsSettings(Settings):
    """Settings of the source; every field has a default and a description."""

    largest: int = Field(default=200, ge=2, description="largest number of a pair")
    seed: int = Field(default=0, description="another seed gives other pairs")


class Pairs(Source):
    """Pairs of random numbers without end, the same in every run."""

    name = "pairs"
    item = Pair
    Settings = PairsSettings
    settings: PairsSettings

    def items(self) -> Iterator[Pair]:
        """The pairs; keys are unique and stay the same."""
        rng = Random(self.settings.seed)
        for number in count():
            a, b = (rng.randint(2, self.settings.largest) for _ in range(2))
            yield Pair(key=f"pair-{number}", a=a, b=b)


class GcdSettings(Settings):
    """Settings of the generator."""

    slip: float = Field(default=0.1, ge=0, le=1, description="share of solutions with a mistake")


class Gcd(Generator[GcdSettings]):
    """Euclid's algorithm, step by step; some solutions are wrong, so that a filter has work.

    A pair becomes an `sft` row, a worked solution, and an `rlvr` row, the problem with its answer.
    """

    name = "gcd"
    item = Pair
    kinds = ("sft", "rlvr")
    rows_per_task = {"sft": 1, "rlvr": 1}
    default_filters = (FilterSpec(name="arithmetic"), FilterSpec(name="answer_equivalence"))

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """Two candidates; the engine calls the filters."""
        pair: Pair = task.item
        question = user(f"What is the greatest common divisor of {pair.a} and {pair.b}?")
        truth = str(math.gcd(pair.a, pair.b))
        sources = [SourceRef(uri=f"pairs:{pair.key}", license="CC0-1.0")]
        slips = context.rng("slip").random() < self.settings.slip
        solution = solve(pair.a, pair.b, wrong=slips)
        yield Candidate(
            kind="sft", messages=[question, assistant(solution)], answer=truth, sources=sources
        )
        yield Candidate(
            kind="rlvr", messages=[question], answer=truth, reward=REWARD, sources=sources
        )


def solve(a: int, b: int, *, wrong: bool = False) -> str:
    """The steps of Euclid's algorithm; a wrong solution ends one too high."""
    steps: list[str] = []
    while b:
        steps.append(f"Step {len(steps) + 1}: {a} - {a // b} * {b} = {a % b}")
        a, b = b, a % b
    return "\n".join([*steps, rf"The answer is \boxed{{{a + wrong}}}."])
