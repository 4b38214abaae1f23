"""A generator and a filter for tests: rows from problems, without a model."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from synthmill.filters.base import Verifier
from synthmill.generators.base import Context, Generator, Task
from synthmill.schemas.base import Settings
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.row import Candidate, Row
from synthmill.schemas.verdict import Verdict
from synthmill.sources.base import Problem


class LettersSettings(Settings):
    """Settings of `Letters`."""

    seconds: float = Field(default=0.0, ge=0, description="how long a task takes")
    crash: bool = Field(default=False, description="end the run with a defect")


class Letters(Generator):
    """Answers every problem with its answer and a random number; fails for problems on failing."""

    name: ClassVar[str] = "letters"
    item: ClassVar[type] = Problem
    kinds = ("sft",)
    Settings = LettersSettings
    settings: LettersSettings

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """One row."""
        await asyncio.sleep(self.settings.seconds)
        problem: Problem = task.item
        if self.settings.crash:
            raise SystemError("this is a defect")
        if "fail" in problem.text:
            raise ValueError("no idea")
        number = context.rng("answer").randrange(10**6)
        yield Candidate(
            kind="sft",
            messages=[user(problem.text), assistant(f"[b]{number}[/b] {problem.answer}")],
            answer=problem.answer,
            sources=[problem.origin],
            detail='{"traces": [{"id": "t0", "lineage": {"operator": "first", "parents": [],'
            ' "round": 0}, "answer": "1", "right": false}, {"id": "t1", "lineage":'
            ' {"operator": "mutation", "parents": ["t0"], "round": 1, "step": 2,'
            ' "entropy": 1.25}, "answer": "2", "right": true}], "row_traces": ["t1"]}',
        )

    def describe(self, row: Row, verbose: bool = False) -> str:
        """What its record says, which a row that could not be read does not have."""
        (trace,) = json.loads(row.detail)["row_traces"]
        return f"said by {trace}" + (", told in full" if verbose else "")


class NoZ(Verifier):
    """Rejects rows whose question speaks of z."""

    name: ClassVar[str] = "no_z"

    def judge(self, candidate: Candidate) -> Verdict:
        """The verdict."""
        if "z" in (candidate.messages[0].content or ""):
            return self.verdict("fail", "speaks of z", detail="found a z")
        return self.verdict("pass")


class OnceSettings(Settings):
    """Settings of `Once`."""

    marker: Path = Field(description="file that is made at the first failure")


class Once(Verifier):
    """Cannot decide about the first row with a `d` that it ever sees, as if a server were away."""

    name: ClassVar[str] = "once"
    Settings = OnceSettings
    settings: OnceSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """The verdict."""
        if candidate.answer == "d" and not self.settings.marker.exists():
            self.settings.marker.touch()
            raise ConnectionError("away")
        return self.verdict("pass")
