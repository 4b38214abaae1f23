import struct
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.report import FunnelStage, RunReport
from synthmill.schemas.row import Row
from synthmill.schemas.usage import PromptUsage, Usage
from synthmill.store.catalog import rebuild
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
from synthmill.store.home import Home
from synthmill.store.maintenance import compact
from synthmill.store.query import query
from synthmill.store.tags import set_tag
from tests.store.building import commit, ids, make_row, make_rows, read_ids
from tests.store.committing import PROCESSES, rebuild_often, run_batches


def rows_of(home: Home, sql: str) -> list[tuple[object, ...]]:
    return [tuple(r.values()) for r in query(home, sql).read_all().to_pylist()]


def _ids(home: Home, table: str) -> list[str]:
    return sorted(str(i) for (i,) in rows_of(home, f"SELECT id FROM {table}"))


def test_views_show_the_rows_of_the_newest_and_of_any_version(home: Home, dataset: Dataset) -> None:
    for batch in range(3):
        commit(dataset, make_rows(batch * 10, batch * 10 + 10), batch)
    compact(dataset)
    delete_source(dataset, "https://site1.example/*")
    rebuild(home)
    assert _ids(home, '"my-set"') == read_ids(dataset)
    assert _ids(home, '"my-set_rejected"') == read_ids(dataset, status="rejected")
    assert _ids(home, '"my-set_all"') == read_ids(dataset, status=None)
    for version in range(7):
        assert _ids(home, f'"my-set_at"({version})') == read_ids(dataset, version, None)
    gone = """ "my-set_at"({}) WHERE list_bool_or(list_transform(
        sources, lambda s: s.uri LIKE 'https://site1.%')) """
    assert _ids(home, gone.format(6)) == []
    assert len(_ids(home, gone.format(4))) == 6
    for version in (7, -1):
        with pytest.raises(InputError, match="dataset my-set has versions 0 to 6"):
            _ids(home, f'"my-set_at"({version})')


def test_the_columns_are_the_row_s(home: Home, dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 3), 0)
    rebuild(home)
    for table in ('"my-set"', '"my-set_at"(0)', '"my-set_at"(1)'):
        schema = query(home, f"FROM {table}").schema
        assert schema.names == dataset.read(status=None).schema.names
        assert schema.types == dataset.read(status=None).schema.types


def test_a_dataset_without_rows_and_a_home_without_datasets(home: Home) -> None:
    assert rebuild(home) == []
    assert rows_of(home, "FROM datasets") == []
    assert rows_of(home, "FROM verdicts") == rows_of(home, "FROM sources") == []
    Dataset.create(home, "empty")
    rebuild(home)
    assert rows_of(home, "FROM empty") == rows_of(home, "FROM empty_rejected") == []
    assert rows_of(home, "SELECT name, version, accepted FROM datasets") == [("empty", 0, 0)]


def test_tables_say_what_logs_and_rows_say(home: Home, dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 6), 0)
    other = Dataset.create(home, "other")
    commit(other, make_rows(0, 3), 0, run_id="run-2")
    set_tag(dataset, "first", 1)
    rebuild(home)
    commit(dataset, make_rows(6, 12), 1)
    delete_source(dataset, "https://site1.example/*")
    rebuild(home)
    assert rows_of(home, "SELECT name, version, accepted, rejected, problem FROM datasets") == [
        ("my-set", 4, 6, 3, None),
        ("other", 1, 2, 1, None),
    ]
    versions = """SELECT version, operation, run_id, batch, pattern, accepted_added,
        accepted_removed, rejected_removed FROM versions WHERE dataset = 'my-set' ORDER BY ALL"""
    pattern = "https://site1.example/*"
    assert rows_of(home, versions) == [
        (0, "create", None, None, None, 0, 0, 0),
        (1, "commit", "run-1", 0, None, 4, 0, 0),
        (2, "commit", "run-1", 1, None, 4, 0, 0),
        (3, "block", None, None, pattern, 0, 0, 0),
        (4, "delete", None, None, pattern, 0, 2, 1),
    ]
    assert rows_of(home, "SELECT tag, version FROM tags") == [("first", 1)]
    assert rows_of(
        home,
        "SELECT dataset, filter, status, reason, count(*) FROM verdicts GROUP BY ALL ORDER BY ALL",
    ) == [
        ("my-set", "length", "fail", "too short", 3),
        ("my-set", "length", "pass", None, 6),
        ("other", "length", "fail", "too short", 1),
        ("other", "length", "pass", None, 2),
    ]
    assert rows_of(
        home, "SELECT license, sum(accepted)::INT, sum(rejected)::INT FROM sources GROUP BY ALL"
    ) == [("CC0-1.0", 8, 4)]


def test_runs_usage_and_failures_come_from_the_reports(home: Home) -> None:
    report = RunReport(
        run_id="r1",
        recipe="demo",
        recipe_hash="1-abc",
        dataset="my-set",
        generator="test@1",
        seed=1,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        stop="target met",
        emitted=10,
        accepted=6,
        rejected=3,
        failed=1,
        failures={"time-out": 1},
        by_kind={"sft": 6},
        funnel=[FunnelStage(filter="length", passed=6, failed=3, reasons={"too short": 3})],
        usage={
            "Solve": PromptUsage(
                Usage(calls=20, prompt_tokens=900),
                Usage(calls=12, prompt_tokens=500, cached_tokens=300, dollars=0.5),
                failures={"429": 4},
            )
        },
        unused=Usage(prompt_tokens=70, completion_tokens=7),
        versions=[1, 2],
    )
    huge = report.model_copy(update={"run_id": "r4", "seed": 10**20}).model_dump_json()
    for name, text in (("r1", report.model_dump_json()), ("r2", "{}"), ("r3", None), ("r4", huge)):
        home.run(name).mkdir(parents=True)
        if text is not None:
            (home.run(name) / "report.json").write_text(text)
    problems = rebuild(home)
    assert len(problems) == 2 and "r2/report.json is not a run report" in problems[0]
    assert f"r4/report.json: seed {10**20} does not fit" in problems[1]
    assert rows_of(home, "SELECT run_id, stop, accepted, versions FROM runs") == [
        ("r1", "target met", 6, [1, 2])
    ]
    assert rows_of(home, "SELECT * EXCLUDE run_id FROM usage") == [
        ("Solve", 20, 900, 0, 12, 500, 300, 0, 0.5, 0)
    ]
    assert rows_of(home, "SELECT unused_tokens, unused_dollars FROM runs") == [(77, 0.0)]
    assert rows_of(home, "FROM failures ORDER BY stage") == [
        ("r1", "Solve", "429", 4),
        ("r1", "task", "time-out", 1),
    ]
    assert rows_of(home, "SELECT filter, failed, reasons FROM funnel") == [
        ("length", 3, '{"too short":3}')
    ]


def test_an_incremental_rebuild_equals_one_from_nothing(home: Home, dataset: Dataset) -> None:
    for batch in range(6):
        commit(dataset, make_rows(batch * 5, batch * 5 + 5), batch)
        if batch == 2:
            delete_source(dataset, "https://site1.example/*")
        if batch == 4:
            compact(dataset)
        rebuild(home)
    tables = ("versions", "files", "datasets", '"my-set_at"(5)')
    incremental = [sorted(map(str, rows_of(home, f"FROM {table}"))) for table in tables]
    home.catalog.unlink()
    rebuild(home)
    assert incremental == [sorted(map(str, rows_of(home, f"FROM {table}"))) for table in tables]


def test_a_dataset_made_anew_under_its_old_name_is_read_anew(home: Home, tmp_path: Path) -> None:
    commit(Dataset.create(home, "a"), make_rows(0, 5), 0)
    rebuild(home)
    home.dataset("a").rename(tmp_path / "away")
    fresh = Dataset.create(home, "a")
    rebuild(home)
    assert rows_of(home, "SELECT version FROM versions") == [(0,)]
    commit(fresh, make_rows(5, 10), 0)
    rebuild(home)
    assert _ids(home, "a") == ids(make_rows(5, 10))


@pytest.mark.parametrize("content", [b"", b"not a database", b"\0" * 20000])
def test_a_damaged_catalog_is_built_anew(home: Home, dataset: Dataset, content: bytes) -> None:
    commit(dataset, make_rows(0, 3), 0)
    home.catalog.write_bytes(content)
    assert rebuild(home) == []
    assert _ids(home, '"my-set"') == ids(make_rows(0, 3))


def test_a_broken_dataset_is_named_and_the_others_are_there(home: Home, dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 3), 0)
    broken = Dataset.create(home, "broken")
    (Path(broken.location) / "_delta_log" / f"{0:020}.json").write_text("{no json")
    problems = rebuild(home)
    assert len(problems) == 1 and "is not JSON" in problems[0]
    assert _ids(home, '"my-set"') == ids(make_rows(0, 3))
    assert rows_of(home, "SELECT name FROM datasets WHERE problem IS NOT NULL") == [("broken",)]


def test_readers_keep_the_catalog_they_opened(home: Home, dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 3), 0)
    rebuild(home)
    reader = query(home, 'SELECT id FROM "my-set_all"')
    plain = duckdb.connect(str(home.catalog), read_only=True)
    commit(dataset, make_rows(3, 9), 1)
    rebuild(home)
    assert len(_ids(home, '"my-set_all"')) == 9, "a new query sees the new catalog at once"
    assert reader.read_all().num_rows == 3
    assert plain.sql('SELECT count(*) FROM "my-set_all"').fetchall() == [(3,)]
    plain.close()


def test_rebuilds_readers_and_writers_at_once(home: Home, dataset: Dataset) -> None:
    rebuild(home)
    processes = [PROCESSES.Process(target=rebuild_often, args=(home.path, 8)) for _ in "ab"]
    processes.append(PROCESSES.Process(target=run_batches, args=(home.path, "run", 0, 15)))
    for process in processes:
        process.start()
    counts = []
    while any(process.is_alive() for process in processes):
        counts.append(len(_ids(home, '"my-set_all"')))
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert counts == sorted(counts), "no reader ever sees an older catalog than before"
    rebuild(home)
    assert len(_ids(home, '"my-set_all"')) == 90
    assert not list(home.path.glob(".catalog-new*"))


def test_plain_duckdb_reads_the_catalog_from_anywhere(home: Home, dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 6), 0)
    rebuild(home)
    script = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); "
        "print(c.sql('SELECT count(*) FROM \"my-set\"').fetchall()[0][0], "
        "c.sql('SELECT count(*) FROM \"my-set_at\"(1)').fetchall()[0][0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home.catalog)],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["4", "6"]


HOSTILE = [
    "DROP VIEW sources",
    "CREATE TABLE x (a INT)",
    "CREATE TABLE memory.x (a INT)",
    "INSERT INTO runs SELECT * FROM runs",
    "DELETE FROM runs",
    "COPY (SELECT 1) TO '{home}/datasets/x.csv'",
    "COPY (SELECT 1) TO '/tmp/x.csv'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{home}/datasets/x.csv'",
    "WITH x AS (COPY (SELECT 1) TO '{home}/datasets/x.csv') SELECT 1",
    "FROM query('COPY (SELECT 1) TO ''{home}/datasets/x.csv''')",
    "FROM enable_logging(storage = 'file', storage_path = '{home}/datasets/x')",
    "FROM enable_profiling(save_location = '{home}/datasets/x')",
    "EXPORT DATABASE '{home}/datasets/x'",
    "ATTACH '{home}/datasets/x.duckdb'",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_csv('https://example.org/x.csv')",
    "FROM '/etc/passwd'",
    "INSTALL httpfs",
    "LOAD '/tmp/x.duckdb_extension'",
    "SET enable_external_access = true",
    "SELECT 1; DROP VIEW sources",
    "CALL force_checkpoint()",
    "PRAGMA enable_profiling",
    "DETACH catalog",
    "",
    "nonsense",
    "SELECT * FROM nowhere",
    "SELECT error('no')",
    'SELECT CAST(id AS INT) FROM "my-set"',
]


@pytest.mark.parametrize("sql", HOSTILE)
def test_a_query_only_reads_and_only_the_home(home: Home, dataset: Dataset, sql: str) -> None:
    commit(dataset, make_rows(0, 6), 0)
    rebuild(home)
    before = sorted(home.path.rglob("*"))
    catalog = home.catalog.read_bytes()
    with pytest.raises(InputError, match="SQL: ") as caught:
        query(home, sql.format(home=home.path)).read_all()
    assert "\n" not in str(caught.value)
    assert sorted(home.path.rglob("*")) == before
    assert home.catalog.read_bytes() == catalog


@pytest.mark.parametrize(
    ("sql", "column", "value"),
    [
        ("SHOW TABLES", "name", "my-set_all"),
        ("DESCRIBE runs", "column_name", "stop_detail"),
        ('SUMMARIZE "my-set"', "column_name", "task_key"),
        ("FROM datasets", "name", "my-set"),
        ("TABLE versions", "operation", "create"),
    ],
)
def test_other_reading_statements_work(
    home: Home, dataset: Dataset, sql: str, column: str, value: str
) -> None:
    rebuild(home)
    assert value in query(home, sql).read_all()[column].to_pylist()


def test_the_file_is_in_the_format_of_duckdb_1(home: Home, dataset: Dataset) -> None:
    """Opened with DuckDB 1.0.0, 1.1.3 and 1.4.1 when this was written."""
    rebuild(home)
    _, magic, version = struct.unpack("<8s4sQ", home.catalog.read_bytes()[:20])
    assert (magic, version) == (b"DUCK", 64)


def test_what_goes_wrong_is_said_with_what_duckdb_proposes(home: Home, dataset: Dataset) -> None:
    rebuild(home)
    with pytest.raises(InputError, match=r'^SQL: .* not exist! Did you mean "runs"\?$'):
        query(home, "FROM run")
    late = query(home, "SELECT CASE WHEN range > 99990 THEN error('late') END FROM range(100000)")
    with pytest.raises(InputError, match=r"^SQL: Invalid Input Error: late$"):
        late.read_all()


def test_a_source_has_a_title_only_if_it_has_one_alone(home: Home, dataset: Dataset) -> None:
    def row(number: int, uri: str) -> Row:
        return make_row(number, sources=[SourceRef(uri=uri, title=f"line {number}")])

    commit(dataset, [row(1, "one"), row(2, "many"), row(4, "many")], 0)
    rebuild(home)
    titles = rows_of(home, "SELECT uri, title, accepted FROM sources ORDER BY uri")
    assert titles == [("many", None, 2), ("one", "line 1", 1)]


def test_queries_of_several_threads_do_not_meet(home: Home, dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 6), 0)
    rebuild(home)
    found: list[int] = []

    def count() -> None:
        found.append(len(_ids(home, '"my-set_all"')))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [6] * 8


def test_without_a_catalog_the_way_to_one_is_said(home: Home) -> None:
    with pytest.raises(InputError, match="synthmill catalog rebuild"):
        query(home, "SELECT 1")
    assert list(home.path.iterdir()) == []


def test_only_files_of_older_columns_are_read_by_name(home: Home, dataset: Dataset) -> None:
    """Reading by name opens every file before it begins."""
    rebuild(home)
    (text,) = rows_of(home, "SELECT sql FROM duckdb_views() WHERE view_name = 'my-set'")[0]
    assert "union_by_name = false" in str(text).lower()
