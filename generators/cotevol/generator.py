"""CoTEvol as a generator: a problem comes in, its traces are bred, rows come out."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import ClassVar

from synthmill.generators.base import Context, Generator, Task
from synthmill.generators.cotevol.emit import candidates
from synthmill.generators.cotevol.judge import Judge
from synthmill.generators.cotevol.record import EvolutionRecord
from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.generators.cotevol.strategies.best_of_n import best_of_n
from synthmill.generators.cotevol.strategies.evolution import evolve
from synthmill.generators.cotevol.strategies.self_refine import self_refine
from synthmill.generators.cotevol.workshop import Spent, Workshop
from synthmill.schemas.row import Candidate, Row
from synthmill.sources.base import Problem

STRATEGIES = {"cotevol": evolve, "best_of_n": best_of_n, "self_refine": self_refine}


class Cotevol(Generator[CotevolSettings]):
    """Breeds chains of thought (arXiv 2604.14768) and emits the best, the problem, and pairs."""

    name: ClassVar[str] = "cotevol"
    version: ClassVar[int] = 1
    item: ClassVar[type] = Problem

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The rows of one problem."""
        workshop, stopped = await self.search(task.item, context)
        for candidate in candidates(workshop, stopped):
            yield candidate

    async def search(self, problem: Problem, context: Context) -> tuple[Workshop, str]:
        """The traces of one problem by the strategy of the settings, and why it ended."""
        workshop = Workshop(problem, self.settings, context, Judge(problem, context))
        stopped = ""
        with suppress(Spent):
            stopped = await STRATEGIES[self.settings.strategy](workshop)
        return workshop, "tokens spent" if workshop.left == 0 else stopped

    def describe(self, row: Row, verbose: bool = False) -> str | None:
        """The lineage of the row's traces as lines of text."""
        record = EvolutionRecord.model_validate_json(row.detail)
        known = {trace.id: trace for trace in record.traces}
        lines = [f"{record.strategy}, {record.mode}: {record.tokens} tokens, {record.stopped}"]
        waiting, told = list(record.row_traces), set[str]()
        while waiting:
            trace = known[waiting.pop(0)]
            if trace.id in told:
                continue
            told.add(trace.id)
            mark = {True: "right", False: "wrong", None: "unjudged"}[trace.right]
            parents = ", ".join(trace.lineage.parents)
            origin = f" from {parents}" if parents else ""
            lines.append(f"{trace.id} {mark}: {trace.lineage.operator}{origin}")
            waiting += trace.lineage.parents
        return "\n".join(lines)
