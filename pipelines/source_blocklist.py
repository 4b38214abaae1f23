"""Sources that were deleted from a run's dataset, before the run or during it.

The commit drops their rows whatever their status. Here such rows are rejected, so that a run
neither counts them towards its target nor buys more of them.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from synthmill.pipelines.checkpoint import Tally
from synthmill.schemas.arrow import row_from_record
from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.messages import user
from synthmill.schemas.row import Candidate, Row
from synthmill.schemas.verdict import Verdict
from synthmill.store.blocklist import is_blocked, matches
from synthmill.store.dataset import Dataset

WATCH_SECONDS = 2.0  # ours: how long a run may go on buying for a source that was deleted


class SourceDeletedError(Exception):
    """The source of a task was deleted while the task was at work."""


class SourceBlocklist:
    """The deleted sources of a dataset; while `watching`, deletions of other processes show.

    Raises:
        InputError: the dataset cannot be read.
    """

    def __init__(self, dataset: Dataset) -> None:
        # A table of its own, because it is read in another thread than the run's.
        self._dataset = Dataset.open(dataset.home, dataset.name)
        self._patterns = self._dataset.blocked_sources()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Keep the list current until the block ends."""

        async def watch() -> None:
            while True:
                await asyncio.sleep(WATCH_SECONDS)
                with suppress(InputError):  # the next commit says what is wrong
                    self._patterns = await asyncio.to_thread(self._dataset.blocked_sources)

        watcher = asyncio.create_task(watch())
        try:
            yield
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher

    def verdict(self, sources: Sequence[SourceRef]) -> Verdict | None:
        """The verdict that rejects what has a deleted source, or None."""
        return deleted_source(self._patterns, sources)

    def barred(self, item: Any) -> Candidate | None:
        """The rejected candidate in the place of an item of a deleted source, or None for others.

        The item is skipped before any call is made for it.
        """
        source = _source_of(item) if self._patterns else None
        verdict = None if source is None else self.verdict([source])
        if source is None or verdict is None:
            return None
        return Candidate(
            kind="corpus", messages=[user("(skipped)")], verdicts=[verdict], sources=[source]
        )


class DeletedRows:
    """Takes back rows of a run that it has counted as accepted and whose source is deleted then.

    `known` are the patterns that the tally takes into account already, `version` the version of
    the run's last commit.
    """

    def __init__(
        self, dataset: Dataset, run_id: str, known: Sequence[str], version: int | None
    ) -> None:
        self._dataset = dataset
        self._run_id = run_id
        self._known = set(known)
        self._version = version

    def committed(self, version: int) -> None:
        """The run has committed `version`."""
        self._version = version

    def reject(self, tally: Tally, rows: list[Row]) -> None:
        """Reject the accepted ones of the committed rows (in the tally) and of `rows`."""
        patterns = self._dataset.blocked_sources()
        fresh = [pattern for pattern in patterns if pattern not in self._known]
        self._known = set(patterns)
        if not fresh:
            return
        for row in self._committed_rows(fresh):
            tally.uncount_row(row)
            tally.count_row(_rejected(row, fresh))
        for place, row in enumerate(rows):
            if row.status == "accepted" and deleted_source(fresh, row.sources):
                rows[place] = rejected = _rejected(row, fresh)
                tally.uncount_row(row)
                tally.count_row(rejected)

    def _committed_rows(self, patterns: Sequence[str]) -> list[Row]:
        if self._version is None:
            return []
        # The last commit was made before the deletion, so its version still has the rows.
        batches = self._dataset.read(self._version)
        hit = (batch.filter(matches(batch, patterns)).to_pylist() for batch in batches)
        return [row_from_record(r) for found in hit for r in found if r["run_id"] == self._run_id]


def deleted_source(patterns: Sequence[str], sources: Sequence[SourceRef]) -> Verdict | None:
    """The verdict that rejects what has a source that one of the patterns stands for, or None."""
    source = next((s for s in sources if is_blocked(patterns, s)), None) if patterns else None
    if source is None:
        return None
    return Verdict(
        filter="deleted_source", status="fail", reason="source was deleted", detail=source.uri
    )


def _rejected(row: Row, patterns: Sequence[str]) -> Row:
    verdict = deleted_source(patterns, row.sources)
    verdicts = row.verdicts if verdict is None else [*row.verdicts, verdict]
    return row.model_copy(update={"status": "rejected", "verdicts": verdicts})


def _source_of(item: Any) -> SourceRef | None:
    """Where a task's item comes from, as far as it says so."""
    origin = getattr(item, "origin", None)
    if isinstance(origin, SourceRef):
        return origin
    uri, sha256 = getattr(item, "uri", None), getattr(item, "sha256", None)
    if not isinstance(uri, str):
        return None
    return SourceRef(uri=uri, sha256=sha256 if isinstance(sha256, str) else None)
