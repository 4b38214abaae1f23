"""Judging the rows of a dataset again: a new version with other verdicts."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from synthmill.filters.base import DiversityFilter
from synthmill.filters.load import load_filters
from synthmill.filters.run import warm_up
from synthmill.generators.base import Judged
from synthmill.models.registry import ModelRegistry
from synthmill.pipelines.context import Services, TaskContext
from synthmill.pipelines.judging import compare, verify
from synthmill.pipelines.load import SHIPPED, read_recipe
from synthmill.pipelines.plan import Stage, Verifying, make_plan
from synthmill.pipelines.run import media_writer, opened
from synthmill.runtime.files import remove_abandoned_of, temporary_folder
from synthmill.runtime.workers import WorkerPool
from synthmill.schemas.arrow import ROW_SCHEMA, row_from_record
from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import FilterSpec, ModelSpec
from synthmill.schemas.row import Row
from synthmill.schemas.verdict import Verdict
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home

OnRows = Callable[[int, int], None]
CONCURRENCY = 32  # rows judged at once; ours, as the recipe's default
WORKERS = 2
VERDICTS = ROW_SCHEMA.field("verdicts")


@dataclass(frozen=True, slots=True)
class FilterSet:
    """Filters that judge again, cheapest first, diversity filters last; and the models they ask."""

    verifiers: tuple[Stage[Verifying], ...]
    diversity: tuple[Stage[DiversityFilter], ...]
    models: Mapping[str, ModelSpec]

    @property
    def names(self) -> list[str]:
        """The names that their verdicts carry."""
        return [stage.filter.name for stage in (*self.verifiers, *self.diversity)]


class RefilterSummary(Record):
    """What became of the rows; `version` is None where no verdict changed.

    `rejected` counts accepted rows that are rejected now, by reason; `readmitted` rejected rows
    that are accepted now. `started_over` says that an earlier call was killed.
    """

    dataset: str
    old_version: int
    version: int | None
    judged: int
    rejected: dict[str, int]
    readmitted: int
    started_over: bool = False


def filter_set(
    filters: Sequence[str],
    settings: Mapping[str, Any] | None = None,
    *,
    models: str | Path | None = None,
    folder: Path | None = None,
) -> FilterSet:
    """Filters by name, place (`./file.py:name`) or recipe.

    Args:
        filters: each a name, a place, or a recipe (a file or the name of a shipped one), which
            stands for all filters that it runs, those of its generator included.
        settings: settings of filters by name (of a place: the part behind the colon).
        models: the recipe whose models are asked; by default that of `filters`.
        folder: where places start; the current folder by default.

    Raises:
        InputError: there is no such filter or recipe, or a setting is wrong.
    """
    left = dict(settings or {})
    stages: list[Stage[Any]] = []
    specs: list[FilterSpec] = []
    asked: dict[str, ModelSpec] = {}
    for name in filters:
        if name.endswith((".yaml", ".yml")) or (SHIPPED / f"{name}.yaml").is_file():
            plan = make_plan(read_recipe(name))
            stages += (*plan.verifiers, *plan.diversity)
            asked |= plan.recipe.models
        else:
            short = name.rpartition(":")[2]
            own = left.pop(short, {})
            if not isinstance(own, dict):
                raise InputError(f"--set {short}={own}: which setting? {short}.KEY=VALUE")
            specs.append(FilterSpec.model_validate({"name": name, "settings": own}))
    if left:
        raise InputError(f"--set: no filter {', '.join(sorted(left))} among {', '.join(filters)}")
    stages += (Stage(found, spec) for spec, found in load_filters(specs, folder=folder))
    names = [stage.filter.name for stage in stages]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"filter {twice[0]!r} is given more than once")
    if models is not None:
        asked = dict(read_recipe(models).models)
    return FilterSet(
        tuple(s for s in stages if not isinstance(s.filter, DiversityFilter)),
        tuple(s for s in stages if isinstance(s.filter, DiversityFilter)),
        asked,
    )


async def refilter(
    dataset: Dataset,
    filters: FilterSet,
    home: Home,
    *,
    readmit: bool = False,
    on_rows: OnRows = lambda done, total: None,
) -> RefilterSummary:
    """Judge the newest version's rows again, and commit them as one new version.

    Accepted rows are judged in the order of the dataset. A new verdict replaces the one of a filter
    of the same name; verdicts of other filters stay. With `readmit`, a rejected row whose every
    remaining verdict is a pass is judged too, after the accepted ones, and is accepted if it
    passes and no accepted row has its id; otherwise rejected rows stay as they are. Diversity
    filters compare with the rows that this call accepted before.

    The same rows, filters and models give the same version. A process killed on the way leaves the
    dataset as it was; the next call starts over, says so, and finds what models had answered in the
    response cache of `home`.

    Raises:
        InputError: a model or filter cannot be used, or another process wrote to the dataset.
        FilterError: a filter could not decide, and its entry says that this stops the work.
    """
    version = dataset.version
    async with AsyncExitStack() as stack:
        work = f"refilter-{dataset.name}"
        started_over = remove_abandoned_of(home.prepare().path, work)
        folder = stack.enter_context(temporary_folder(home.path, work))
        registry = ModelRegistry(filters.models, cache=home.responses, media_dir=dataset.folder)
        models = await stack.enter_async_context(opened(registry))
        warm = warm_up(stage.filter for stage in filters.verifiers)
        workers = await stack.enter_async_context(WorkerPool(WORKERS, warm=warm))
        services = Services(0, models, workers, media_writer(dataset), filters.verifiers)
        judge = _Judge(dataset, version, filters, services, readmit)
        spool = folder / "rows.parquet"
        with pq.ParquetWriter(spool, ROW_SCHEMA, compression="zstd") as writer:
            async for batch in judge.batches(on_rows):
                writer.write_batch(batch)
        number = None
        if judge.changed:
            number = await asyncio.to_thread(_commit, dataset, spool, filters, version)
    return RefilterSummary(
        dataset=dataset.name,
        old_version=version,
        version=number,
        judged=judge.judged,
        rejected=dict(judge.rejected.most_common()),
        readmitted=judge.readmitted,
        started_over=started_over,
    )


def _commit(dataset: Dataset, spool: Path, filters: FilterSet, version: int) -> int:
    with pq.ParquetFile(spool) as file:
        rows = pa.RecordBatchReader.from_batches(ROW_SCHEMA, file.iter_batches(1024))
        return dataset.write(rows, "refilter", " ".join(filters.names), replaces=version)


class _Judge:
    def __init__(
        self,
        dataset: Dataset,
        version: int,
        filters: FilterSet,
        services: Services,
        readmit: bool,
    ) -> None:
        self.changed = False
        self.judged = 0
        self.readmitted = 0
        self.rejected: Counter[str] = Counter()
        self._dataset, self._version, self._readmit = dataset, version, readmit
        self._filters, self._services = filters, services
        self._again = frozenset(filters.names)
        self._accepted: set[str] = set()
        self._free = asyncio.Semaphore(CONCURRENCY)

    async def batches(self, on_rows: OnRows) -> AsyncIterator[pa.RecordBatch]:
        """All rows of the dataset with their new verdicts, accepted ones first."""
        total = sum(pq.read_metadata(path).num_rows for path in self._dataset.files(self._version))
        done = 0
        for status in ("accepted", "rejected"):
            for batch in self._dataset.read(self._version, status):
                yield await self._batch(batch, status)
                done += len(batch)
                on_rows(done, total)

    async def _batch(self, batch: pa.RecordBatch, status: str) -> pa.RecordBatch:
        if status == "rejected" and not self._readmit:
            return batch
        rows = [row_from_record(record) for record in batch.to_pylist()]
        judged = await asyncio.gather(*map(self._verified, rows))
        settled = list(map(self._settled, rows, judged))
        verdicts = [[v.model_dump() for v in given] for given, _ in settled]
        batch = batch.set_column(
            batch.schema.names.index("verdicts"),
            VERDICTS,
            pa.array(verdicts, type=VERDICTS.type),
        )
        statuses = pa.array(["accepted" if accepted else "rejected" for _, accepted in settled])
        place = batch.schema.names.index("status")
        return batch.set_column(place, ROW_SCHEMA.field("status"), statuses)

    async def _verified(self, row: Row) -> Judged | None:
        """The row judged by the verifiers, or None where it stays rejected whatever they say."""
        kept = [verdict for verdict in row.verdicts if verdict.filter not in self._again]
        if row.status == "rejected" and any(v.status in ("fail", "error") for v in kept):
            return None
        bare = row.model_copy(update={"verdicts": kept})
        context = TaskContext(self._services, f"refilter {row.id}")
        try:
            async with self._free:
                return await verify(bare, self._filters.verifiers, context, self._services.workers)
        finally:
            context.close()

    def _settled(self, row: Row, judged: Judged | None) -> tuple[Sequence[Verdict], bool]:
        """The verdicts of a row and whether it is accepted. Call it in the order of rows."""
        if judged is None:
            return row.verdicts, False
        self.judged += 1
        judged = compare(judged, self._filters.diversity)
        was = row.status == "accepted"
        accepted = judged.accepted and (was or row.id not in self._accepted)
        if judged.accepted and not accepted:  # a copy of an accepted row
            return row.verdicts, False
        if accepted:
            self._accepted.add(row.id)
            for stage in self._filters.diversity:
                stage.filter.add(row.id, row)
        if was and not accepted:
            self.rejected[judged.verdicts[-1].reason or judged.verdicts[-1].filter] += 1
        self.readmitted += accepted and not was
        verdicts = _in_order(row.verdicts, judged.verdicts)
        self.changed |= accepted != was or verdicts != row.verdicts
        return verdicts, accepted


def _in_order(old: Sequence[Verdict], new: Sequence[Verdict]) -> list[Verdict]:
    """The new verdicts, those of filters that judged before in their old order."""
    by_filter = {verdict.filter: verdict for verdict in new}
    kept = [by_filter.pop(verdict.filter) for verdict in old if verdict.filter in by_filter]
    return kept + list(by_filter.values())
