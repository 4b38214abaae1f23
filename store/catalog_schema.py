"""The catalog's tables, and the views and macros of each dataset, as SQL text."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from synthmill.schemas.arrow import ROW_SCHEMA
from synthmill.store.sql import literal, quoted, scan, scan_files

FORMAT = 5  # a catalog of another format is rebuilt from the logs

TABLES = f"""
CREATE TABLE catalog_format AS SELECT {FORMAT} AS format;
CREATE TABLE datasets (
    name VARCHAR, version BIGINT, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ,
    accepted BIGINT, rejected BIGINT, files BIGINT, bytes BIGINT,
    location VARCHAR, table_id VARCHAR, problem VARCHAR);
CREATE TABLE versions (
    dataset VARCHAR, version BIGINT, committed_at TIMESTAMPTZ, operation VARCHAR,
    run_id VARCHAR, batch BIGINT, recipe_hash VARCHAR, generator VARCHAR, models VARCHAR,
    counts VARCHAR, blocked BIGINT, code_version VARCHAR, pattern VARCHAR, columns VARCHAR,
    accepted_added BIGINT, rejected_added BIGINT,
    accepted_removed BIGINT, rejected_removed BIGINT);
CREATE TABLE files (
    dataset VARCHAR, path VARCHAR, status VARCHAR, rows BIGINT, bytes BIGINT,
    added_in BIGINT, removed_in BIGINT);
CREATE TABLE tags (dataset VARCHAR, tag VARCHAR, version BIGINT);
CREATE TABLE runs (
    run_id VARCHAR, recipe VARCHAR, recipe_hash VARCHAR, dataset VARCHAR, generator VARCHAR,
    seed BIGINT, started_at TIMESTAMPTZ, ended_at TIMESTAMPTZ, stop VARCHAR, stop_detail VARCHAR,
    tasks BIGINT, emitted BIGINT, accepted BIGINT, rejected BIGINT, failed BIGINT,
    by_kind VARCHAR, target VARCHAR, state VARCHAR, seconds DOUBLE, calls BIGINT,
    prompt_tokens BIGINT, generated_tokens BIGINT, used_tokens BIGINT, unused_tokens BIGINT,
    bought_tokens BIGINT, dollars DOUBLE, unused_dollars DOUBLE, versions BIGINT[]);
CREATE TABLE funnel (
    run_id VARCHAR, position BIGINT, filter VARCHAR, passed BIGINT, failed BIGINT,
    errors BIGINT, skipped BIGINT, reasons VARCHAR);
CREATE TABLE usage (
    run_id VARCHAR, prompt VARCHAR, calls BIGINT, prompt_tokens BIGINT, completion_tokens BIGINT,
    bought_calls BIGINT, bought_prompt_tokens BIGINT, bought_cached_tokens BIGINT,
    bought_completion_tokens BIGINT, dollars DOUBLE, unpriced_tokens BIGINT);
CREATE TABLE failures (run_id VARCHAR, stage VARCHAR, reason VARCHAR, count BIGINT);
"""

ROW_COLUMNS = ", ".join(map(quoted, ROW_SCHEMA.names))


class CatalogFile(NamedTuple):
    """A data file as the catalog places it: `removed_in` is None while it is live."""

    path: str
    status: str
    added_in: int
    removed_in: int | None


class DatasetViews(NamedTuple):
    """How a dataset's files are read.

    `none` is the path of a Parquet file without rows, for versions without files; `by_name` says
    that some files do not have the columns of today.
    """

    name: str
    version: int
    files: Sequence[CatalogFile]
    none: str
    by_name: bool

    def at_macro(self) -> str:
        """A table macro `<name>_at(version)`: all rows, accepted and rejected, of any version.

        DuckDB lets a table function take constants only, no subquery. So the macro's list is made
        of one CASE for all files that came and went together, which folds into a constant.
        """
        together: dict[tuple[int, int | None], list[str]] = {}
        for file in self.files:
            together.setdefault((file.added_in, file.removed_in), []).append(literal(file.path))
        unknown = literal(f"dataset {self.name} has versions 0 to {self.version}")
        cases = [
            f"CASE WHEN version BETWEEN 0 AND {self.version} THEN [{literal(self.none)}] "
            f"ELSE error({unknown}) END"
        ]
        for (added, removed), paths in together.items():
            until = "" if removed is None else f" AND version < {removed}"
            cases.append(
                f"CASE WHEN version >= {added}{until} THEN [{', '.join(paths)}] ELSE [] END"
            )
        macro, rows = (
            quoted(self.name + "_at"),
            scan(f"flatten([{', '.join(cases)}])", self.by_name),
        )
        return f"CREATE MACRO {macro}(version) AS TABLE SELECT {ROW_COLUMNS} FROM {rows};"

    def views(self) -> str:
        """The views of the newest version: `<name>`, `<name>_rejected`, `<name>_all`."""
        return (
            self._view("", ("accepted",))
            + self._view("_rejected", ("rejected",))
            + self._view("_all", ("accepted", "rejected"))
        )

    def _view(self, ending: str, statuses: tuple[str, ...]) -> str:
        live = (f.path for f in self.files if f.removed_in is None and f.status in statuses)
        rows = scan_files([self.none, *live], self.by_name)
        return f"CREATE VIEW {quoted(self.name + ending)} AS SELECT {ROW_COLUMNS} FROM {rows};\n"


def overall_views(names: Sequence[str]) -> str:
    """The views over all datasets: `verdicts` and `sources`."""
    every = [
        f"SELECT {literal(name)} AS dataset, id, kind, generator, status, run_id, "
        f"verdicts, sources FROM {quoted(name + '_all')}"
        for name in names
    ]
    columns = ("id", "kind", "generator", "status", "run_id", "verdicts", "sources")
    typed = ", ".join(f"NULL::{_sql_type(ROW_SCHEMA.field(c).type)} AS {c}" for c in columns)
    rows = "\nUNION ALL ".join([f"SELECT '' AS dataset, {typed} WHERE false", *every])
    return f"""
CREATE VIEW verdicts AS
SELECT dataset, id, kind, generator, status AS row_status, run_id, position,
       verdict.filter, verdict.version, verdict.status, verdict.score, verdict.reason,
       verdict.detail
FROM (SELECT *, unnest(verdicts) AS verdict, generate_subscripts(verdicts, 1) AS position
      FROM ({rows}));
CREATE VIEW sources AS
SELECT dataset, source.uri, source.sha256,
       CASE WHEN count(DISTINCT source.title) = 1 THEN any_value(source.title) END AS title,
       any_value(source.license) AS license,
       count(DISTINCT id) FILTER (status = 'accepted') AS accepted,
       count(DISTINCT id) FILTER (status = 'rejected') AS rejected
FROM (SELECT dataset, id, status, unnest(sources) AS source FROM ({rows}))
GROUP BY ALL;
"""


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"{_sql_type(kind.value_type)}[]"
    if pa.types.is_struct(kind):
        return "STRUCT(" + ", ".join(f"{quoted(f.name)} {_sql_type(f.type)}" for f in kind) + ")"
    return SQL_TYPES[kind]


SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}
