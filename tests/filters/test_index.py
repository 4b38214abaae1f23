import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from synthmill.filters.base import DiversityFilter
from synthmill.filters.index import HEADER, DatasetIndex, index_folder
from synthmill.schemas.errors import InputError
from synthmill.schemas.row import Candidate
from tests.filters.candidates import make, sft

ROOT = Path(__file__).parents[2]
FILTERS = ("exact_content", "minhash", "sibling_rouge")


def row(number: int) -> tuple[str, Candidate]:
    words = random.Random(number).choices([f"w{i}" for i in range(500)], k=40)
    return f"row-{number}", sft(" ".join(words), question=f"Question {number // 3}?")


def rows(start: int, stop: int) -> list[tuple[str, Candidate]]:
    return [row(number) for number in range(start, stop)]


def assert_holds(found: DiversityFilter, count: int) -> None:
    assert len(found) == count
    for number in range(0, count, max(1, count // 20)):
        row_id, candidate = row(number)
        verdict = found.judge(candidate)
        assert verdict.status == "fail", number
        assert f"row {row_id}" in verdict.detail


@pytest.mark.parametrize("name", FILTERS)
def test_what_is_saved_comes_back(tmp_path: Path, name: str) -> None:
    for version in range(1, 9):
        index = DatasetIndex.open(tmp_path, make(name))
        assert index.covered_version == (version - 1 or None)
        assert_holds(index.filter, 50 * (version - 1))
        for row_id, candidate in rows(50 * (version - 1), 50 * version):
            index.add(row_id, candidate)
        index.save(version)
    assert_holds(DatasetIndex.open(tmp_path, make(name)).filter, 400)
    assert len(list(tmp_path.glob("rows-*"))) <= 4  # merged as they grow


@pytest.mark.parametrize("name", FILTERS)
def test_one_run_that_saves_often(tmp_path: Path, name: str) -> None:
    index = DatasetIndex.open(tmp_path, make(name))
    for number in range(60):
        index.add(*row(number))
        index.save(number + 1)
    assert_holds(index.filter, 60)
    again = DatasetIndex.open(tmp_path, make(name))
    assert again.covered_version == 60
    assert_holds(again.filter, 60)


@pytest.mark.parametrize("name", FILTERS)
def test_catching_up_replays_what_is_missing_and_nothing_twice(tmp_path: Path, name: str) -> None:
    index = DatasetIndex.open(tmp_path, make(name))
    assert index.catch_up(rows(0, 30), 3) == 30
    index.save()
    lost = DatasetIndex.open(tmp_path, make(name))  # a run that dies before it saves
    lost.add(*row(30))
    again = DatasetIndex.open(tmp_path, make(name))
    assert again.covered_version == 3
    again.add(*row(31))  # its own, and then another run's commit is read back with it
    assert again.catch_up(rows(30, 33), 5) == 2
    assert again.catch_up(rows(30, 34), 6) == 1
    again.save()
    assert len(again.filter) == 34
    assert DatasetIndex.open(tmp_path, make(name)).covered_version == 6


@pytest.mark.parametrize("name", FILTERS)
def test_rows_that_are_not_committed_yet_stay_out(tmp_path: Path, name: str) -> None:
    index = DatasetIndex.open(tmp_path, make(name))
    for row_id, candidate in rows(0, 10):
        index.add(row_id, candidate)
    index.save(1, rows=6)
    assert_holds(DatasetIndex.open(tmp_path, make(name)).filter, 6)
    index.save(2)
    assert_holds(DatasetIndex.open(tmp_path, make(name)).filter, 10)


def test_the_threshold_may_change_and_other_settings_get_their_own_folder(tmp_path: Path) -> None:
    strict, lax = make("minhash", threshold=0.5), make("minhash", threshold=0.9)
    assert index_folder(tmp_path, strict) == index_folder(tmp_path, lax)
    assert index_folder(tmp_path, strict) != index_folder(
        tmp_path, make("minhash", shingle_words=5)
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    index = DatasetIndex.open(tmp_path, make("minhash"))
    index.catch_up(rows(0, 20), 2)
    index.save()
    return tmp_path


def edit(folder: Path, **changes: object) -> None:
    header = json.loads((folder / HEADER).read_text())
    (folder / HEADER).write_text(json.dumps({**header, **changes}))


def refusal(folder: Path, **settings: object) -> str:
    with pytest.raises(InputError) as raised:
        DatasetIndex.open(folder, make("minhash", **settings))
    message = str(raised.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def test_a_mismatch_is_refused_with_what_differs_and_how_to_rebuild(saved: Path) -> None:
    message = refusal(saved, shingle_words=5)
    assert "shingle_words 3, now 5" in message
    assert "delete that folder, and the next run rebuilds it" in message


def test_an_older_format_or_sketch_is_refused(saved: Path) -> None:
    edit(saved, format=0)
    assert "format 0, now 1" in refusal(saved)
    edit(saved, format=1, parameters={**make("minhash").parameters, "rensa_algorithm": 1})
    assert "rensa_algorithm 1, now 2" in refusal(saved)
    edit(saved, parameters=make("minhash").parameters, filter="other")
    assert "filter 'other', now 'minhash'" in refusal(saved)


def test_damaged_files_are_refused(saved: Path) -> None:
    segment = next(saved.glob("rows-*"))
    whole = segment.read_bytes()
    segment.write_bytes(whole[: len(whole) // 2])
    assert "cannot be read" in refusal(saved)
    segment.unlink()
    assert "cannot be read" in refusal(saved)
    (saved / HEADER).write_text("{")
    assert "cannot be read" in refusal(saved)
    shutil.rmtree(saved)
    assert DatasetIndex.open(saved, make("minhash")).covered_version is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "cannot be used: Permission denied" in refusal(tmp_path)


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    assert "cannot be used" in refusal(tmp_path / "x")


def test_an_index_removed_while_in_use_is_written_again(saved: Path) -> None:
    index = DatasetIndex.open(saved, make("minhash"))
    shutil.rmtree(saved)
    index.add(*row(20))
    index.save(3)
    assert_holds(DatasetIndex.open(saved, make("minhash")).filter, 21)


def test_of_two_runs_the_one_that_covers_more_stays(tmp_path: Path) -> None:
    one, two = (DatasetIndex.open(tmp_path, make("exact_content")) for _ in range(2))
    one.catch_up(rows(0, 10), 1)
    one.save()
    two.catch_up(rows(0, 15), 2)
    two.save()
    one.add(*row(10))
    one.save(1)  # an older version than what is there
    assert DatasetIndex.open(tmp_path, make("exact_content")).covered_version == 2
    one.catch_up(rows(10, 30), 3)
    one.save()
    last = DatasetIndex.open(tmp_path, make("exact_content"))
    assert last.covered_version == 3
    assert_holds(last.filter, 30)


SAVES_FOR_EVER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from synthmill.filters.index import DatasetIndex
    from tests.filters.candidates import make
    from tests.filters.test_index import row

    index = DatasetIndex.open(Path(sys.argv[1]), make(sys.argv[2]))
    number = len(index.filter)
    while True:
        for _ in range(10):
            index.add(*row(number))
            number += 1
        index.save(number)
        print("saved", flush=True)
""")


@pytest.mark.parametrize("name", FILTERS)
def test_killed_at_any_moment_the_folder_holds_the_old_or_the_new_index(
    tmp_path: Path, name: str
) -> None:
    delays, covered = random.Random(name), 0
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", SAVES_FOR_EVER, str(tmp_path), name],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        ) as run:
            assert run.stdout is not None
            run.stdout.readline()
            time.sleep(delays.uniform(0.0, 0.25))
            run.send_signal(signal.SIGKILL)
        index = DatasetIndex.open(tmp_path, make(name))
        now = index.covered_version or 0
        assert now >= covered
        assert_holds(index.filter, now)
        covered = now
    assert covered >= 60  # each run saved once at least
