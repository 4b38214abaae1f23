"""Runs searches with the embedded model and keeps what they found, problem by problem.

A finished problem is a line in a cache file that is named after everything that decides it (model,
settings, tier, seed), so a run that was stopped goes on where it was, and nothing is run twice.
"""

import asyncio
import itertools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.cotevol.methods import settings_of
from scripts.embedded_model.arithmetic import TIERS, problems
from synthmill.generators.cotevol.generator import Cotevol
from synthmill.models.registry import ModelRegistry
from synthmill.pipelines.context import Services, TaskContext
from synthmill.runtime.workers import WorkerPool
from synthmill.schemas.identity import canonical_json, sha256_text
from synthmill.schemas.lineage import Media, SourceRef
from synthmill.schemas.recipe import ModelSpec
from synthmill.sources.base import Problem

# Draw of the benchmark's problems: held out from training, and nothing was developed on it (the
# draws 77 to 80 served for that).
TEST_DRAW = 2026
AT_ONCE = 48
CACHE = Path(__file__).parent / "cache"


@dataclass(frozen=True)
class Found:
    """A trace: its text, whether it is right, tokens of the search until then, its operator."""

    text: str
    right: bool
    spent: int
    operator: str


@dataclass(frozen=True)
class Search:
    """What a method found for one problem, in order."""

    problem: str
    traces: tuple[Found, ...]


@dataclass(frozen=True)
class Job:
    """One method on one tier with one seed; `tokens` is the largest budget of a problem."""

    method: str
    tier: str
    draw: int
    seed: int
    count: int
    tokens: int


class Searcher:
    """Searches with opened models."""

    def __init__(
        self, models: ModelRegistry, workers: WorkerPool, told: Callable[[str], None]
    ) -> None:
        self._models = models
        self._workers = workers
        self._told = told

    async def run(self, job: Job) -> list[Search]:
        """The searches of a job, from the cache as far as they are in it."""
        generator = Cotevol(settings_of(job.method, job.tokens))
        path = self._path(job, generator)
        known = _read(path)
        drawn = held_out(job.tier, job.draw, job.count)
        missing = [problem for problem in drawn if problem.key not in known]
        gate, done = asyncio.Semaphore(AT_ONCE), itertools.count(len(known) + 1)

        async def search(problem: Problem) -> None:
            async with gate:
                services = Services(job.seed, self._models, self._workers, _no_media)
                context = TaskContext(services, problem.key)
                session, _ = await generator.search(problem, context)
            traces = tuple(
                Found(t.text, t.good, t.spent, t.lineage.operator) for t in session.archive
            )
            known[problem.key] = Search(problem.key, traces)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(known[problem.key])) + "\n")
            self._told(f"{job.tier}, seed {job.seed}, {job.method}: {next(done)}/{job.count}")

        await asyncio.gather(*(search(problem) for problem in missing))
        return [known[problem.key] for problem in drawn]

    def _path(self, job: Job, generator: Cotevol) -> Path:
        decides = canonical_json(
            [
                self._models.client().model,
                generator.label,
                generator.settings.model_dump(mode="json"),
                job.tier,
                job.draw,
                job.seed,
            ]
        )
        CACHE.mkdir(exist_ok=True)
        return CACHE / f"{job.tier}-{job.seed}-{sha256_text(decides)[:16]}.jsonl"


def held_out(tier: str, draw: int, count: int) -> list[Problem]:
    """The first `count` problems of a draw of a tier that the model was not trained on."""
    drawn = itertools.islice(problems(TIERS[tier], draw, held_out=True), count)
    return [
        Problem(key=p.id, text=p.text, answer=p.answer, origin=SourceRef(uri=f"tier:{tier}"))
        for p in drawn
    ]


def embedded_models() -> ModelRegistry:
    """The shipped model, without a response cache: the searches have one of their own."""
    return ModelRegistry({"default": ModelSpec()}, cache=None)


def _read(path: Path) -> dict[str, Search]:
    """What is known; a line that was cut off by a kill is not."""
    known: dict[str, Search] = {}
    if not path.exists():
        return known
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        traces = tuple(Found(**trace) for trace in record["traces"])
        known[record["problem"]] = Search(record["problem"], traces)
    return known


def _no_media(*_: object) -> Media:
    raise NotImplementedError("traces are text")
