"""CoTEvol as a generator: a problem becomes the rows of a search for its solutions."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar

from synthmill.generators.base import Context, Generator, Task
from synthmill.generators.cotevol.rows import EvolutionRecord, candidates
from synthmill.generators.cotevol.search import AnswerJudge, SearchSession, TokensSpent
from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.generators.cotevol.strategies import STRATEGIES
from synthmill.models.forms import Form
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate, Kind, Row
from synthmill.sources.base import Problem


class Cotevol(Generator[CotevolSettings]):
    """Genetic search over chains of thought (arXiv 2604.14768).

    Emits the best trace of each problem, the problem with its pass rate, and preference pairs.
    """

    name: ClassVar[str] = "cotevol"
    version: ClassVar[int] = 1
    item: ClassVar[type | None] = Problem
    # A search that joins traces leaves steps behind that lead nowhere; answers do not show it.
    default_filters: ClassVar[tuple[FilterSpec, ...]] = (FilterSpec(name="unused_step"),)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Those of the setting `emit`."""
        return tuple(self.settings.emit)

    @property
    def roles(self) -> Mapping[str, Sequence[Form]]:
        """One model writes, judges and continues traces."""
        if self.settings.strategy == "best_of_n":
            return {"default": ("samples", "logprobs")}
        continued: tuple[Form, ...] = (
            ("continuation",) if self.settings.strategy == "cotevol" else ()
        )
        return {"default": ("samples", "json", "logprobs", *continued)}

    @property
    def rows_per_task(self) -> Mapping[Kind, int]:
        """A trace, the problem, and pairs of traces."""
        most: dict[Kind, int] = {"sft": 1, "rlvr": 1, "preference": self.settings.pairs}
        return {kind: most[kind] for kind in self.settings.emit}

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The rows of one problem."""
        session, stopped = await self.search(task.item, context)
        for candidate in candidates(session, stopped):
            yield candidate

    async def search(self, problem: Problem, context: Context) -> tuple[SearchSession, str]:
        """The traces of one problem by the strategy of the settings, and why it ended."""
        session = SearchSession(problem, self.settings, context, AnswerJudge(problem, context))
        stopped = ""
        with suppress(TokensSpent):
            stopped = await STRATEGIES[self.settings.strategy](session)
        return session, "tokens spent" if session.tokens_left == 0 else stopped

    def describe(self, row: Row, verbose: bool = False) -> str | None:
        """The lineage of the row's traces as lines of text; `verbose` shows the whole family."""
        return "\n".join(EvolutionRecord.model_validate_json(row.detail).lines(verbose))
