"""Deleting the rows of a source, and blocking the source for later commits."""

from pathlib import Path

import pyarrow as pa

from synthmill.runtime.files import temporary_folder
from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import SourceRef
from synthmill.store import table
from synthmill.store.blocklist import checked_pattern, is_blocked, matches
from synthmill.store.dataset import SPARE_BYTES, Dataset
from synthmill.store.errors import check_free_space, hint_for, translate_errors

UNDO_BYTES = 65_536  # ours: an entry of the log that holds the blocklist and the schema
KEY = ["id", "run_id", "task_key"]


class Deletion(Record):
    """The result of a deletion: the version after it, and the deleted rows by status."""

    version: int
    pattern: str
    rows: dict[str, int]


def rows_of_source(dataset: Dataset, pattern: str) -> dict[str, int]:
    """How many rows a deletion would remove from the newest version, by status.

    Raises:
        InputError: the pattern would match everything.
    """
    checked_pattern(pattern)
    return _by_status(_doomed(dataset, pattern))


def delete_source(dataset: Dataset, pattern: str) -> Deletion:
    """Delete every row, accepted or rejected, that has a source of this URI or SHA-256.

    In `pattern`, `*` stands for any text. First the source is put on the blocklist (a version of
    its own, without a change of rows), which every later commit respects, also commits of
    running runs; then one version removes the rows. Both are recorded in the log. Older versions
    keep the rows. Where the rows cannot be removed, the source is taken off the blocklist again
    (space for that is set aside before). After a crash, call it again to complete the deletion.

    Raises:
        InputError: the pattern would match everything; full disk, no permission.
    """
    checked_pattern(pattern)
    with translate_errors(f"dataset {dataset.name!r}"):
        # The files that hold the rows are written again, all of them at worst.
        size = sum(Path(path).stat().st_size for path in dataset.files())
        check_free_space(dataset.folder, size + SPARE_BYTES)
        with temporary_folder(dataset.folder, "spare") as spare:
            (spare / "bytes").write_bytes(b"\0" * UNDO_BYTES)
            before = table.retry_on_conflict(lambda: _block(dataset, pattern))
            doomed = _by_status(_doomed(dataset, pattern))
            try:
                rows = table.retry_on_conflict(lambda: _delete(dataset, pattern))
            except Exception as error:
                # A checkpoint that cannot be written fails after the rows are deleted.
                if len(_doomed(dataset, pattern)) == 0:
                    return Deletion(version=dataset.version, pattern=pattern, rows=doomed)
                (spare / "bytes").unlink()
                _undo(dataset, pattern, before, error)
                raise
    return Deletion(version=dataset.version, pattern=pattern, rows=rows)


def _undo(dataset: Dataset, pattern: str, before: list[str] | None, error: Exception) -> None:
    """Make the blocklist say of a source what it said before."""
    try:
        with translate_errors("the disk"):
            table.retry_on_conflict(lambda: _restore(dataset, pattern, before))
    except Exception as second:
        raise InputError(
            f"dataset {dataset.name!r}: source {pattern!r} is blocked, but its rows are not "
            f"deleted ({hint_for(error) or error}): call delete-source again"
        ) from second


def unblock_source(dataset: Dataset, pattern: str) -> None:
    """Remove a source from the blocklist; its deleted rows stay deleted.

    Raises:
        InputError: it is not on the list; full disk, no permission.
    """
    with translate_errors(f"dataset {dataset.name!r}"):
        table.retry_on_conflict(lambda: _unblock(dataset, pattern))


def _block(dataset: Dataset, pattern: str) -> list[str] | None:
    """Block a source; what the blocklist said of it before."""
    patterns, hashes = dataset.blocklist(), _hashes(dataset, pattern)
    known = patterns.get(pattern)
    if known is None or not hashes <= set(known):
        merged = sorted(hashes.union(known or ()))
        dataset.set_blocklist({**patterns, pattern: merged}, "block", pattern)
    return known


def _hashes(dataset: Dataset, pattern: str) -> set[str]:
    """The content hashes of the sources that a pattern matches."""
    found = set[str]()
    for batch in dataset.read(status=None, columns=["sources"]):
        for sources in batch.filter(matches(batch, [pattern])).column("sources").to_pylist():
            refs = (SourceRef.model_construct(uri=s["uri"], sha256=s["sha256"]) for s in sources)
            found.update(r.sha256 for r in refs if r.sha256 and is_blocked([pattern], r))
    return found - {pattern}


def _unblock(dataset: Dataset, pattern: str) -> None:
    patterns = dataset.blocklist()
    if pattern not in patterns:
        known = ", ".join(patterns) or "empty"
        raise InputError(
            f"source {pattern!r} is not on the blocklist of dataset {dataset.name!r}, "
            f"which is: {known}"
        )
    _restore(dataset, pattern, None)


def _restore(dataset: Dataset, pattern: str, hashes: list[str] | None) -> None:
    kept = {listed: known for listed, known in dataset.blocklist().items() if listed != pattern}
    if hashes is not None:
        kept[pattern] = hashes
    dataset.set_blocklist(kept, "unblock", pattern)


def _delete(dataset: Dataset, pattern: str) -> dict[str, int]:
    doomed = _doomed(dataset, pattern)
    if len(doomed):
        same = " AND ".join(f"stored.{name} = doomed.{name}" for name in KEY)
        dataset.at().merge(
            doomed.select(KEY).group_by(KEY).aggregate([]),
            predicate=same,
            source_alias="doomed",
            target_alias="stored",
            writer_properties=table.WRITER,
            commit_properties=table.properties("delete", {"pattern": pattern}),
        ).when_matched_delete().execute()
    return _by_status(doomed)


def _by_status(rows: pa.Table) -> dict[str, int]:
    return {row["values"]: row["counts"] for row in rows["status"].value_counts().to_pylist()}


def _doomed(dataset: Dataset, pattern: str) -> pa.Table:
    """Key and status of each row that has such a source."""
    reader = dataset.read(status=None, columns=[*KEY, "status", "sources"])
    found = [batch.filter(matches(batch, [pattern])) for batch in reader]
    return pa.Table.from_batches(found, reader.schema).drop_columns(["sources"])
