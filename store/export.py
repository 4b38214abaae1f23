"""Exporting a version of a dataset to a trainer."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from synthmill.schemas.arrow import ROW_SCHEMA, row_from_record
from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.row import Kind, Row
from synthmill.store.dataset import Dataset
from synthmill.store.export_files import RECORD_FILES, SUMMARY, RecordFile, new_folder
from synthmill.store.exports.base import ColumnarPart, Exporter, columnar_parts
from synthmill.store.reading import run_query
from synthmill.store.reward_files import MARK, copy_reward_files
from synthmill.store.sql import complaint, literal, quoted, scan_files
from synthmill.store.tags import resolve

KINDS = get_args(Kind)
SPLIT = "__split"  # a name that no exporter gives to a column
BATCH_ROWS = 8192  # also the row groups of Parquet files
PROGRESS_ROWS = 1000


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
    rewards: dict[str, str | None] = {}  # reward functions of a user: their files in the export


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
    on_progress: Callable[[int, int], None] = lambda done, total: None,
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
        on_progress: called often with the rows read so far and their number.

    Raises:
        InputError: no such version or kind, a wrong condition, nothing to export, or `out` exists.
    """
    number = resolve(dataset, version)
    for kind in kinds or ():
        if kind not in KINDS:
            known = ", ".join(KINDS)
            raise InputError(f"there is no kind {kind!r}{nearest(kind, KINDS)}; known: {known}")
    rows = _AskedRows(dataset, number, where, exporter, kinds, splits)
    left_out, total = rows.counts()
    done = 0
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    with new_folder(out, force) as folder:
        with ExitStack() as open_files:
            files = _PartFiles(folder, exporter, open_files)
            for columnar in columnar_parts(exporter):
                for split, batch in rows.converted(columnar):
                    files.get(columnar.part, split).add_batch(batch)
                    done += len(batch)
                    on_progress(done, total)
            for chosen, row in exporter.select(rows.others()):
                record = exporter.convert(row)
                if record is None:
                    left_out[f"{row.kind}: {exporter.name} cannot express it"] += 1
                else:
                    files.get(chosen, row.split).add(record)
                done += 1
                if done % PROGRESS_ROWS == 0:
                    on_progress(done, total)
        for (part, split), file in sorted(files.opened.items()):
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
            rewards=copy_reward_files(dataset.home, rows.own_rewards(), folder),
        )
        (folder / SUMMARY).write_text(summary.model_dump_json(indent=2) + "\n", "utf-8")
        (folder / "README.md").write_text(_readme(summary, exporter, folder), "utf-8")
    return summary


class _AskedRows:
    """The rows of a version that were asked for and are of the exporter's kinds.

    Rows that the exporter's SQL converts are read by `converted`, the others by `others`.
    """

    def __init__(
        self,
        dataset: Dataset,
        version: int,
        where: str | None,
        exporter: Exporter[Any],
        kinds: Sequence[str] | None,
        splits: Sequence[str] | None,
    ) -> None:
        files = dataset.files(version, "accepted")
        self._folder = Path(dataset.location)
        self._exporter = exporter
        self._where = where
        self._scan = f"{scan_files(files)} WHERE ({where or 'true'}\n)" if files else None
        self._asked = f"kind IN ({_texts(sorted(exporter.kinds))})"
        self._kinds, self._splits = kinds, splits
        self._asked += f" AND kind IN ({_texts(kinds)})" if kinds else ""
        self._asked += f" AND split IN ({_texts(splits)})" if splits else ""

    def counts(self) -> tuple[Counter[str], int]:
        """Rows that are left out by reason, and how many are to be converted."""
        left_out: Counter[str] = Counter()
        total = 0
        schema = pa.schema([("kind", pa.string()), ("split", pa.string()), ("rows", pa.int64())])
        counted = "kind, split, count(*) AS rows"
        for batch in self._read(counted, "GROUP BY ALL ORDER BY ALL", schema):
            for kind, split, rows in zip(*batch.to_pydict().values(), strict=True):
                if self._kinds and kind not in self._kinds:
                    left_out[f"{kind}: not asked for"] += rows
                elif self._splits and split not in self._splits:
                    left_out[f"split {split}: not asked for"] += rows
                elif kind not in self._exporter.kinds:
                    left_out[f"{kind}: not a kind that {self._exporter.name} takes"] += rows
                else:
                    total += rows
        return left_out, total

    def converted(self, part: ColumnarPart) -> Iterator[tuple[str, pa.RecordBatch]]:
        """The rows of a part as its SQL converts them, and their split."""
        features = self._exporter.features(part.part)
        selected, schema = RECORD_FILES[self._exporter.format].columnar(part.columns, features)
        with_split = schema.insert(0, pa.field(SPLIT, pa.string()))
        condition = f"AND {self._asked} AND {part.where}"
        for batch in self._read(f"split AS {SPLIT}, {selected}", condition, with_split):
            of_rows = batch.column(SPLIT)
            for split in of_rows.unique().to_pylist():
                chosen = batch.filter(pc.equal(of_rows, split))
                yield split, chosen.select(schema.names)

    def own_rewards(self) -> dict[str, str]:
        """The rewards that are functions in files of a user, each with its newest run."""
        schema = pa.schema([("reward", pa.string()), ("run_id", pa.string())])
        newest = "reward, arg_max(run_id, created_at) AS run_id"
        condition = f"AND {self._asked} AND contains(reward, {literal(MARK)}) GROUP BY reward"
        batches = self._read(newest, f"{condition} ORDER BY max(created_at)", schema)
        return {row["reward"]: row["run_id"] for batch in batches for row in batch.to_pylist()}

    def others(self) -> Iterator[Row]:
        """The rows that no SQL converts, in the order of the dataset."""
        names = ", ".join(map(quoted, ROW_SCHEMA.names))
        parts = [f"({part.where})" for part in columnar_parts(self._exporter)]
        condition = f"AND {self._asked}"
        if parts:
            condition += f" AND NOT coalesce({' OR '.join(parts)}, false)"
        for batch in self._read(names, condition, ROW_SCHEMA, 1024):
            yield from map(row_from_record, batch.to_pylist())

    def _read(
        self, selected: str, condition: str, schema: pa.Schema, batch_rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        if self._scan is None:
            return
        try:
            yield from run_query(
                f"SELECT {selected} FROM {self._scan} {condition}",
                schema,
                batch_rows,
                only=self._folder if self._where else None,
            )
        except (duckdb.Error, pa.ArrowException, OSError, InputError) as error:
            if self._where is None:
                raise
            raise InputError(f"condition {self._where!r}: {complaint(error)}") from error


class _PartFiles:
    """The files of an export, opened as rows need them and closed by `close_at`."""

    def __init__(self, folder: Path, exporter: Exporter[Any], close_at: ExitStack) -> None:
        self.opened: dict[tuple[str, str], RecordFile] = {}
        self._folder, self._exporter, self._close_at = folder, exporter, close_at

    def get(self, part: str, split: str) -> RecordFile:
        """The file of a part and a split."""
        key = part, re.sub(r"\W", "_", split)
        if key not in self.opened:
            path = self._folder / part / f"{key[1]}.{self._exporter.format}"
            path.parent.mkdir(exist_ok=True)
            file = RECORD_FILES[self._exporter.format](path, self._exporter.features(part))
            self.opened[key] = file
            self._close_at.callback(file.close)
        return self.opened[key]


def _texts(values: Sequence[str]) -> str:
    return ", ".join(map(literal, values))


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
