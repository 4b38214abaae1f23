"""Sources of problems in files: what is read, what becomes a bad row, what is refused."""

import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthmill.schemas.errors import InputError
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.plugins import available, load_plugin
from synthmill.sources.base import Problem, Source
from synthmill.sources.csv import CsvSource
from synthmill.sources.folder import FolderSource
from synthmill.sources.jsonl import JsonlSource
from synthmill.sources.parquet import ParquetSource

ROWS = [
    {"q": "1+1?", "a": "2", "meta": {"level": 1}},
    {"q": "2+3?", "a": 5, "meta": {"level": 2}},
    {"q": "1/3?", "a": 0.5, "meta": {"level": 2}},
]
MAPPING = {"problem": "q", "answer": "a"}


def jsonl(path: Path, lines: list[object], **settings: object) -> list[Problem | InvalidItem]:
    raw = b"".join(
        (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines
    )
    path.write_bytes(raw)
    return read(JsonlSource, path, **settings)


def read(kind: type[Source], path: Path, **settings: object) -> list[Problem | InvalidItem]:
    return list(kind(kind.Settings(path=path, **settings)).items())


def texts(items: list[Problem | InvalidItem]) -> list[str]:
    return [item.text for item in items if isinstance(item, Problem)]


def bad(items: list[Problem | InvalidItem]) -> list[InvalidItem]:
    return [item for item in items if isinstance(item, InvalidItem)]


def test_every_source_is_found_by_its_file_name() -> None:
    names = set(available(Source, ("synthmill.sources",)))
    assert {"csv", "datasets", "folder", "jsonl", "parquet", "reasoning_gym"} <= names
    assert load_plugin(Source, "jsonl", ("synthmill.sources",)) is JsonlSource


def test_fields_are_mapped_and_numbers_become_text(tmp_path: Path) -> None:
    items = jsonl(tmp_path / "p.jsonl", ROWS, fields=MAPPING, license="MIT")
    assert texts(items) == ["1+1?", "2+3?", "1/3?"]
    assert [item.answer for item in items] == ["2", "5", "0.5"]
    assert items[1].origin.title == "line 2" and items[1].origin.license == "MIT"
    assert len({item.key for item in items}) == 3


def test_where_skip_and_limit(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    assert texts(jsonl(path, ROWS, fields=MAPPING, where={"meta.level": 2})) == ["2+3?", "1/3?"]
    assert texts(read(JsonlSource, path, fields=MAPPING, skip=1, limit=1)) == ["2+3?"]
    assert texts(read(JsonlSource, path, fields=MAPPING, where={"meta.level": [1, 3]})) == ["1+1?"]


def test_answer_after_a_mark(tmp_path: Path) -> None:
    rows = [{"problem": "p", "answer": "so\n#### 72"}, {"problem": "q", "answer": "no mark"}]
    items = jsonl(tmp_path / "p.jsonl", rows, answer_after="####")
    assert items[0].answer == "72"
    assert bad(items)[0].reason == "no answer"


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b'{"problem": "x"', "unreadable row", "broken JSON"),
        (b"[1, 2]", "unreadable row", "not an object"),
        (b'{"problem": "\xff"}', "unreadable row", "not UTF-8"),
        (b'{"problem": "\\ud800"}', "not UTF-8", "surrogate"),
        (b'{"problem": ["x"]}', "wrong type", "list"),
        (b'{"problem": true}', "wrong type", "bool"),
        (b'{"problem": null}', "no problem", "empty"),
        (b'{"problem": "  "}', "no problem", "empty"),
        (b'{"probem": "x"}', "no problem", "did you mean"),
        (rb'{"\ud800": "x"}', "no problem", r"has \ud800"),
        (b"[" * 100_000, "unreadable row", "broken JSON"),
        (b'{"problem": ' + b"9" * 10_000 + b"}", "unreadable row", "broken JSON"),
        (b'{"problem": "x", "answer": 1e400}', "wrong type", "number"),
        (b'{"problem": "' + b"x" * 200_000 + b'"}', "too large", "200000"),
        (b'"' + b"x" * (5 << 20) + b'"', "unreadable row", "longer than"),
    ],
)
def test_a_bad_line_is_a_bad_row_with_its_number(
    tmp_path: Path, line: bytes, reason: str, detail: str
) -> None:
    good = {"problem": "1+1?", "answer": "2"}
    items = jsonl(tmp_path / "p.jsonl", [good, line, b"", {"problem": "2+2?", "answer": "4"}])
    assert texts(items) == ["1+1?", "2+2?"]
    (row,) = bad(items)
    assert row.reason == reason
    assert detail in row.detail and "line 2" in row.detail and "p.jsonl" in row.detail
    assert len(row.excerpt) <= 4 * 80


def test_a_repeated_problem_is_a_bad_row(tmp_path: Path) -> None:
    items = jsonl(tmp_path / "p.jsonl", [ROWS[0], ROWS[0]], fields=MAPPING)
    assert [type(item) for item in items] == [Problem, InvalidItem]
    assert items[1].reason == "duplicate key"
    assert items[1].key != items[0].key


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    for kind in (JsonlSource, CsvSource, ParquetSource, FolderSource):
        with pytest.raises(InputError) as error:
            read(kind, tmp_path / "none")
        assert "none" in str(error.value) and "\n" not in str(error.value)


def test_check_finds_a_wrong_mapping(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    jsonl(path, [{"question": "x"}] * 3)
    with pytest.raises(InputError, match=r"no field 'problem'.*question"):
        JsonlSource(JsonlSource.Settings(path=path)).check()
    fitting = JsonlSource(JsonlSource.Settings(path=path, fields={"problem": "question"}))
    assert "first problem: 'x'" in fitting.check()


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    with path.open("wb") as file:
        for index in range(20_000):
            file.write(json.dumps({"problem": f"{index} {'x' * 500}", "answer": 1}).encode())
            file.write(b"\n")
        file.write(b'{"problem": "' + b"y" * (30 << 20) + b'"}\n')
    tracemalloc.start()
    count = sum(1 for _ in JsonlSource(JsonlSource.Settings(path=path)).items())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_001
    assert peak < 14 << 20


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_bytes(
        b"\xef\xbb\xbfproblem,answer\r\n"
        b'"two\nlines",2\r\n'
        b"too,many,values\r\n"
        b"\xff\xfe,1\r\n"
        b"last,3\r\n"
    )
    items = read(CsvSource, path)
    assert [(i.text, i.answer) for i in items if isinstance(i, Problem)] == [
        ("two\nlines", "2"),
        ("last", "3"),
    ]
    assert [row.origin.title for row in bad(items)] == ["line 4", "line 5"]


def test_csv_quote_that_never_closes(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text('problem,answer\ngood,1\n"open,2\n' + "x" * 60 + "\n")
    items = read(CsvSource, path)
    assert texts(items) == ["good"]
    assert "broken CSV" in bad(items)[0].detail


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    table = pa.table({"problem": ["a", None, "c"], "answer": [1.0, 2.0, None], "other": [0, 0, 0]})
    pq.write_table(table, path)
    items = read(ParquetSource, path)
    assert [(i.text, i.answer) for i in items if isinstance(i, Problem)] == [
        ("a", "1"),
        ("c", None),
    ]
    assert bad(items)[0].origin.title == "row 2"
    path.write_bytes(b"PAR1 is not enough")
    with pytest.raises(InputError, match="cannot be read"):
        read(ParquetSource, path)


def test_parquet_with_a_damaged_row_group(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    pq.write_table(
        pa.table({"problem": [f"problem {i}" for i in range(40)]}),
        path,
        row_group_size=20,
        compression="none",
        use_dictionary=False,
        write_page_checksum=False,
    )
    raw = bytearray(path.read_bytes())
    place = raw.index(b"problem 25")
    raw[place - 4 : place] = b"\xff\xff\xff\x7f"  # the length of that string
    path.write_bytes(bytes(raw))
    items = read(ParquetSource, path)
    assert texts(items)[:20] == [f"problem {i}" for i in range(20)]
    assert "cannot be decoded" in bad(items)[0].detail


def test_folder_reads_all_kinds_in_order_and_no_links_out(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.jsonl").write_text('{"problem": "b"}\n')
    (folder / "a.csv").write_text("problem\na\n")
    pq.write_table(pa.table({"problem": ["d"]}), folder / "deep" / "d.parquet")
    (tmp_path / "outside.jsonl").write_text('{"problem": "secret"}\n')
    (folder / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    (folder / "notes.txt").write_text("not read")
    assert texts(read(FolderSource, folder)) == ["a", "b", "d"]
    assert texts(read(FolderSource, folder, limit=2)) == ["a", "b"]
