"""What is stored survives odd paths and full disks, and stays with its owner."""

import csv
import io
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from synthmill.data_cards.card import card
from synthmill.filters.base import DiversityFilter
from synthmill.filters.index import DatasetIndex
from synthmill.filters.load import load_filter
from synthmill.flows.cli import main
from synthmill.models.response_cache import ResponseCache
from synthmill.runtime import files
from synthmill.runtime.files import atomic_directory
from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.recipe import FilterSpec
from synthmill.store import deletion
from synthmill.store.catalog import rebuild
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
from synthmill.store.export import export
from synthmill.store.exports.datasets import DatasetsExporter
from synthmill.store.home import Home
from synthmill.store.maintenance import compact_and_vacuum
from synthmill.store.query import query_records
from synthmill.store.reports import at_work
from synthmill.store.tags import resolve
from tests.store.building import commit, make_row, make_rows

WORKING = ("a b", "é", "漢字", 'a"b', "a'b", "a&b;c", "a:b", "a+b", "~x", "😀", "e\u0301", "$HOME")
REFUSED = (
    "a%41b", "a\\b", "a*b", "a[b]c", "a{b}c", "a?b", "a#b", "a\nb", "a\tb", "a\udcffb", "a=b",
    "a\x1b[31mb", "a\0b", "a|b", "a^b", "a\u202eb",
)  # fmt: skip


@pytest.mark.parametrize("name", WORKING)
def test_a_home_on_an_odd_path_works(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / name)
    dataset = Dataset.create(home, "x")
    commit(dataset, make_rows(0, 10), 0)
    assert list(tmp_path.iterdir()) == [tmp_path / name]
    assert rebuild(home) == []
    assert query_records(home, "SELECT count(*) AS rows FROM x_all") == [{"rows": 10}]
    again = Dataset.open(home, "x")
    assert commit(again, make_rows(10, 20), 1) == 2
    rows = len(list(again.rows()))
    assert again.row(next(again.rows()).id)
    exporter = DatasetsExporter(DatasetsExporter.Settings())
    done = export(again, exporter, tmp_path / "out", where="true")
    assert sum(sum(splits.values()) for splits in done.rows.values()) == rows
    delete_source(again, next(again.rows()).sources[0].uri)
    compact_and_vacuum(again, None)
    assert "accepted rows" in card(again)
    assert rebuild(home) == []
    assert query_records(home, "SELECT count(*) AS rows FROM x")[0]["rows"] < rows


@pytest.mark.parametrize("name", REFUSED)
def test_other_paths_are_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be used"):
        Home(f"{tmp_path}/{name}")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(mount)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a file system")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def fill(disk: Path, leave: int) -> None:
    """Leave so many bytes free."""
    (disk / "filler").unlink(missing_ok=True)
    with (disk / "filler").open("wb") as file:
        file.write(b"\0" * (shutil.disk_usage(disk).free - leave))


def test_a_good_catalog_is_replaced_by_a_whole_one_alone(small_disk: Path) -> None:
    home = Home(small_disk / "factory")
    dataset = Dataset.create(home, "x")
    for batch in range(8):
        commit(dataset, make_rows(10 * batch, 10 * batch + 10), batch)
    rebuild(home)
    refused = 0
    for leave in range(0, 2_000_000, 100_000):
        fill(small_disk, leave)
        try:
            rebuild(home)
        except InputError as error:
            refused += 1
            assert "the disk is full" in str(error)
        with duckdb.connect(str(home.catalog), read_only=True) as catalog:
            assert catalog.sql("SELECT max(version) FROM versions").fetchall() == [(8,)]
    assert refused


def test_a_deletion_on_a_full_disk_is_complete_or_undone(small_disk: Path) -> None:
    home = Home(small_disk / "factory")
    dataset = Dataset.create(home, "x")
    commit(dataset, make_rows(0, 10), 0)
    rows = len(list(dataset.rows(status=None)))
    source = next(dataset.rows()).sources[0].uri
    fill(small_disk, 20_000)
    with pytest.raises(InputError, match="are free"):
        delete_source(dataset, source)
    assert len(list(dataset.rows(status=None))) == rows
    assert dataset.blocked_sources() == []
    result = CliRunner().invoke(
        main, ["delete-source", "x", source, "--yes", "--home", str(home.path)]
    )
    assert result.exit_code == 2 and "are free" in result.output
    (small_disk / "filler").unlink()
    assert sum(delete_source(dataset, source).rows.values()) == 1


def test_a_disk_that_fills_after_the_check_undoes_a_deletion(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(small_disk / "factory")
    dataset = Dataset.create(home, "x")
    commit(dataset, make_rows(0, 10), 0)
    source = next(dataset.rows()).sources[0].uri
    rows = len(list(dataset.rows()))
    monkeypatch.setattr(deletion, "check_free_space", lambda folder, needed: None)
    undone = 0
    for leave in range(64_000, 164_000, 4_000):
        fill(small_disk, leave)
        try:
            delete_source(dataset, source)
        except InputError as error:
            assert "the disk is full" in str(error) and "\n" not in str(error)
            undone += dataset.history()[-1].operation == "unblock"
            assert dataset.blocked_sources() == [] and len(list(dataset.rows())) == rows
        else:
            break
    assert undone
    assert dataset.blocked_sources() == [source] and len(list(dataset.rows())) == rows - 1
    assert not list(dataset.folder.glob(".spare.*"))


def test_a_deletion_that_only_the_catalog_lacks_is_said_to_be_done(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(small_disk / "factory")
    dataset = Dataset.create(home, "x")
    commit(dataset, make_rows(0, 10), 0)
    source = next(dataset.rows()).sources[0].uri
    fill(small_disk, 400_000)
    result = CliRunner().invoke(
        main, ["delete-source", "x", source, "--yes", "--home", str(home.path)]
    )
    assert result.exit_code == 0 and "deleted 1 accepted" in result.output
    assert "the catalog does not show it yet" in result.output


def test_changes_that_only_the_catalog_lacks_are_done(small_disk: Path) -> None:
    home = Home(small_disk / "factory")
    for name in ("x", "y"):
        commit(Dataset.create(home, name), make_rows(0, 10), 0)
    for command in (
        ("copy", "x", "second"),
        ("merge", "x", "y", "--into", "both"),
        ("rename", "y", "z"),
        ("drop", "z", "--yes"),
    ):
        fill(small_disk, 500_000)
        result = CliRunner().invoke(main, [*command, "--home", str(home.path)])
        assert result.exit_code == 0, (command, result.output)
    assert home.dataset_names() == ["both", "second", "x"]
    assert not home.catalog.exists()
    (small_disk / "filler").unlink()
    result = CliRunner().invoke(main, ["ls", "--home", str(home.path)])
    assert "both" in result.output


CONDITIONS = (
    "true) ; COPY (SELECT 1) TO 'stolen.csv' --",
    "true) UNION ALL BY NAME (SELECT content AS answer FROM read_text('secret.txt')",
    "answer IN (SELECT content FROM read_text('secret.txt'))",
    "answer IN (SELECT content FROM read_text('/etc/passwd'))",
    "true) ; ATTACH 'stolen.duckdb' --",
    "getenv('HOME') = answer",
    "answer IN (FROM glob('/etc/*'))",
)


@pytest.mark.parametrize("where", CONDITIONS)
def test_a_condition_of_an_export_reads_the_dataset_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.txt").write_text("secret")
    dataset = Dataset.create(Home(tmp_path / "factory"), "x")
    commit(dataset, make_rows(0, 10), 0)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(InputError):
        export(
            dataset,
            DatasetsExporter(DatasetsExporter.Settings()),
            tmp_path / "out",
            where=where,
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_query_without_end_is_stopped(tmp_path: Path) -> None:
    from synthmill.store.query import query

    home = Home(tmp_path / "factory")
    rebuild(home)
    endless = "SELECT count(*) FROM range(10000000) a, range(10000000) b"
    with pytest.raises(InputError, match="stopped after 1 seconds"):
        list(query(home, endless, seconds=1))


def test_the_lock_of_the_catalog_follows_no_link(tmp_path: Path) -> None:
    home = Home(tmp_path / "factory").prepare()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (home.path / ".catalog.lock").symlink_to(victim)
    with pytest.raises(InputError, match="link"):
        rebuild(home)
    assert victim.read_text() == "precious"


def mode(path: Path) -> int:
    """The permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def test_home_cache_and_runs_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        home = Home(tmp_path / "factory")
        Dataset.create(home, "x")
        ResponseCache(home.responses).close()
        with at_work(home, "run-1"):
            pass
    finally:
        os.umask(before)
    assert mode(home.path) == mode(home.cache) == mode(home.run("run-1")) == 0o700
    assert mode(home.responses) == 0o600


def test_what_a_killed_export_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "UNLOCKED_SECONDS", 0.0)
    (tmp_path / ".out.0123abcd.new").mkdir()
    with atomic_directory(tmp_path / "out") as building:
        (building / "x").write_text("1")
        with atomic_directory(tmp_path / "out") as other:
            assert building.is_dir() and other.is_dir()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]


STRANGE = "\x1b]0;own\x07<script>alert(1)</script> [x](https://evil.example) www.evil.example @all"


@pytest.fixture
def strange_home(tmp_path: Path) -> Home:
    """A home with a dataset whose sources, models and answers attack terminals and pages."""
    home = Home(tmp_path / "factory")
    dataset = Dataset.create(home, "x")
    source = SourceRef(uri=STRANGE, title=STRANGE, license=STRANGE)
    commit(dataset, [make_row(1, sources=[source], model=STRANGE, answer="=cmd|'/C calc'!A0")], 0)
    delete_source(dataset, "\x1b[2Jgone")
    rebuild(home)
    return home


def test_no_command_prints_control_sequences_of_data(strange_home: Home) -> None:
    for command in (
        ("log", "x"), ("card", "x"), ("show", "x"), ("ls",), ("why", "x"),
        ("sql", "FROM x"), ("sql", "FROM x", "--csv"), ("sql", "FROM x", "--json"),
        ("sql", "FROM sources"),
    ):  # fmt: skip
        result = CliRunner().invoke(main, [*command, "--home", str(strange_home.path)])
        assert result.exit_code == 0, (command, result.output)
        assert "\x1b" not in result.output and "\x07" not in result.output, command


def test_a_card_holds_no_html_and_no_links_of_strangers(strange_home: Home) -> None:
    text = card(Dataset.open(strange_home, "x"))
    for piece in ("<script", "[x](", "://evil", "www.evil", " @all"):
        assert piece not in text


def test_csv_holds_no_formulas(strange_home: Home) -> None:
    values = "SELECT answer, '-5' AS number, '+cmd' AS plus, '@x' AS at, -5 AS real FROM x"
    result = CliRunner().invoke(main, ["sql", values, "--csv", "--home", str(strange_home.path)])
    (row,) = list(csv.reader(io.StringIO(result.output)))[1:]
    assert row == ["'=cmd|'/C calc'!A0", "-5", "'+cmd", "'@x", "-5"]


def test_arguments_that_fit_nothing_stored_are_one_line(strange_home: Home) -> None:
    for command in (
        ("sql", "\udcff"),
        ("sql", "SELECT '\udcff'"),
        ("delete-source", "x", "\udcff", "--yes"),
        ("tag", "x", "1", "--delete"),
        ("tag", "x", "../tags", "--delete"),
        ("card", "x", "-o", "."),
        ("card", "x", "-o", ""),
    ):
        result = CliRunner().invoke(main, [*command, "--home", str(strange_home.path)])
        assert result.exit_code == 2, (command, result.output)
        assert "defect" not in result.output


@pytest.mark.parametrize("content", [b"x", b"9" * 5000, b"", b"\xff\xfe", b"-1"])
def test_a_damaged_tag_is_one_line(tmp_path: Path, content: bytes) -> None:
    home = Home(tmp_path / "factory")
    dataset = Dataset.create(home, "x")
    (dataset.folder / "tags").mkdir()
    (dataset.folder / "tags" / "bad").write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        resolve(dataset, "good")
    assert len(rebuild(home)) == 1


@pytest.mark.parametrize(
    "content", [b"\xed\xff", b"[]", b"[[1, 2]]", b"{}", b"7", b"[" * 9999, bytes(range(128, 168))]
)
def test_a_damaged_index_is_one_line(tmp_path: Path, content: bytes) -> None:
    for damaged in ("index.json", "rows"):
        found = load_filter(FilterSpec(name="exact_content"))
        assert isinstance(found, DiversityFilter)
        folder = tmp_path / damaged
        index = DatasetIndex.open(folder, found)
        index.add("row", make_row(1))
        index.save(1)
        (file,) = folder.glob(f"{damaged}*")
        file.write_bytes(content)
        again = load_filter(FilterSpec(name="exact_content"))
        assert isinstance(again, DiversityFilter)
        with pytest.raises(InputError, match="delete that folder"):
            DatasetIndex.open(folder, again)
