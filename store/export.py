"""Exporting a version of a dataset to a trainer."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import duckdb

from synthmill.schemas.arrow import ROW_SCHEMA, row_from_record
from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.row import Kind, Row
from synthmill.store.dataset import Dataset
from synthmill.store.export_files import RECORD_FILES, SUMMARY, RecordFile, new_folder
from synthmill.store.exports.base import Exporter
from synthmill.store.reading import run_query
from synthmill.store.sql import complaint, quoted, scan_files
from synthmill.store.tags import resolve

KINDS = get_args(Kind)


class ExportSummary(Record):
    """What was exported, and what was not and why; also written as `export.json`."""

    dataset: str
    version: int
    exporter: str
    settings: dict[str, Any]
    kinds: list[str] | None = None
    splits: list[str] | None = None
    where: str | None = None
    rows: dict[str, dict[str, int]]  # part, split
    left_out: dict[str, int]  # reason


def export(
    dataset: Dataset,
    exporter: Exporter[Any],
    out: Path,
    *,
    version: str | int | None = None,
    kinds: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    where: str | None = None,
    force: bool = False,
) -> ExportSummary:
    """Write the accepted rows of a version into the folder `out`, in the trainer's form.

    `out` holds a folder for each part, in it a file for each split, and a README.md that lets
    `datasets.load_dataset(out, part, split=split)` find them. `out` appears complete or not at all.

    Args:
        version: number or tag; the newest by default.
        kinds: only rows of these kinds.
        splits: only rows of these splits.
        where: an SQL condition on the columns of the row, such as `pass_rate < 0.5`.
        force: replace an earlier export at `out`.

    Raises:
        InputError: no such version or kind, a wrong condition, nothing to export, or `out` exists.
    """
    number = resolve(dataset, version)
    for kind in kinds or ():
        if kind not in KINDS:
            known = ", ".join(KINDS)
            raise InputError(f"there is no kind {kind!r}{nearest(kind, KINDS)}; known: {known}")
    left_out: Counter[str] = Counter()
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    with new_folder(out, force) as folder:
        with ExitStack() as open_files:
            files: dict[tuple[str, str], RecordFile] = {}
            wanted = _wanted(_rows(dataset, number, where), exporter, kinds, splits, left_out)
            for part, row in exporter.select(wanted):
                record = exporter.convert(row)
                if record is None:
                    left_out[f"{row.kind}: {exporter.name} cannot express it"] += 1
                    continue
                key = (part, re.sub(r"\W", "_", row.split))
                if key not in files:
                    files[key] = _new_file(folder, exporter, *key)
                    open_files.callback(files[key].close)
                files[key].add(record)
        for (part, split), file in sorted(files.items()):
            counts[part][split] = file.records
        if not counts:
            raise InputError(_nothing(dataset, number, exporter, left_out))
        summary = ExportSummary(
            dataset=dataset.name,
            version=number,
            exporter=exporter.name,
            settings=exporter.settings.model_dump(mode="json"),
            kinds=list(kinds) if kinds else None,
            splits=list(splits) if splits else None,
            where=where,
            rows=counts,
            left_out=dict(left_out.most_common()),
        )
        (folder / SUMMARY).write_text(summary.model_dump_json(indent=2) + "\n", "utf-8")
        (folder / "README.md").write_text(_readme(summary, exporter, folder), "utf-8")
    return summary


def _rows(dataset: Dataset, version: int, where: str | None) -> Iterator[Row]:
    if where is None:
        yield from dataset.rows(version)
        return
    files = dataset.files(version, "accepted")
    names = ", ".join(map(quoted, ROW_SCHEMA.names))
    if not files:
        return
    query = f"SELECT {names} FROM {scan_files(files)} WHERE ({where}\n)"
    try:
        for batch in run_query(query, ROW_SCHEMA):
            yield from map(row_from_record, batch.to_pylist())
    except duckdb.Error as error:
        raise InputError(f"condition {where!r}: {complaint(error)}") from error


def _wanted(
    rows: Iterable[Row],
    exporter: Exporter[Any],
    kinds: Sequence[str] | None,
    splits: Sequence[str] | None,
    left_out: Counter[str],
) -> Iterator[Row]:
    """The rows that were asked for and are of the exporter's kinds; others are counted."""
    for row in rows:
        if kinds and row.kind not in kinds:
            left_out[f"{row.kind}: not asked for"] += 1
        elif splits and row.split not in splits:
            left_out[f"split {row.split}: not asked for"] += 1
        elif row.kind not in exporter.kinds:
            left_out[f"{row.kind}: not a kind that {exporter.name} takes"] += 1
        else:
            yield row


def _new_file(folder: Path, exporter: Exporter[Any], part: str, split: str) -> RecordFile:
    path = folder / part / f"{split}.{exporter.format}"
    path.parent.mkdir(exist_ok=True)
    return RECORD_FILES[exporter.format](path, exporter.features(part))


def _nothing(
    dataset: Dataset, version: int, exporter: Exporter[Any], left_out: Counter[str]
) -> str:
    reasons = ", ".join(f"{count} rows ({reason})" for reason, count in left_out.most_common())
    return (
        f"dataset {dataset.name!r} version {version} has nothing to export with "
        f"{exporter.name!r}: {reasons or 'no accepted rows fit'}"
    )


def _readme(summary: ExportSummary, exporter: Exporter[Any], folder: Path) -> str:
    """A dataset card whose head tells `datasets` which files make up which part and split.

    `datasets` caches a folder by its path and this head, without looking at the files. So the
    head contains a hash of their content; else a second export to the same folder would be read as
    the first.
    """
    lines = ["---", "configs:"]
    for part, splits in summary.rows.items():
        paths = {split: f"{part}/{split}.{exporter.format}" for split in splits}
        content = _digest(folder / path for path in paths.values())
        lines += [f"- config_name: {part}", f"  description: rows {content}", "  data_files:"]
        for split, path in paths.items():
            lines += [f"  - split: {split}", f"    path: {path}"]
    lines += [
        "---",
        "",
        f"Rows of the Synthmill dataset `{summary.dataset}`, version {summary.version}, exported "
        f"with `{summary.exporter}`; `{SUMMARY}` says what is here and what was left out.",
        "",
    ]
    return "\n".join(lines)


def _digest(paths: Iterable[Path]) -> str:
    """A short hash of the content of some files."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]
