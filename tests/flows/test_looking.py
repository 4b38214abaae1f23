"""The commands that look at a dataset and look after it, on a small real one."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from tests.flows.conftest import Synthmill

pytestmark = pytest.mark.usefixtures("dataset")


def ids(synthmill: Synthmill, view: str) -> list[str]:
    output = synthmill("sql", f"select id from {view} order by id", "--csv").output
    return output.split()[1:]


def test_ls_and_log(synthmill: Synthmill) -> None:
    assert re.search(r"letters +1 +7 +2 ", synthmill("ls").output)
    listed = synthmill("ls", "--runs").output
    assert re.search(r"run: letters-\S+\n", listed)
    assert "state: finished; reason: source exhausted; accepted: 7" in listed
    log = synthmill("log", "letters").output
    assert log.index("+7 accepted, +2 rejected") < log.index("create")


def test_show_a_dataset_and_a_row(synthmill: Synthmill) -> None:
    shown = synthmill("show", "letters", "--rows", "2").output
    assert shown.count("sft, accepted") == 2
    assert "[b]" in shown, "text of rows is never markup"
    row = ids(synthmill, "letters")[0][:8]
    one = synthmill("show", row).output
    assert "answer: " in one and "problems.jsonl line" in one
    assert "verdicts: passed no_z\nsaid by t1\n" in one
    places = [
        one.index(text) for text in ("\nuser", "\nassistant", "answer: ", "verdicts: ", "task ")
    ]
    assert places == sorted(places), "the question comes first, where the row is from last"
    whole = synthmill("show", row, "-v").output
    assert "said by t1, told in full" in whole and re.search(r"no_z +pass", whole)
    rejected = synthmill("show", "letters", "--which", "rejected").output
    assert "speaks of z" in rejected and "unreadable row" in rejected
    assert shown.count("said by t1\n") == 2 and rejected.count("said ") == 1, (
        "no record, no description"
    )


def test_show_opens_a_page_where_there_is_a_desktop(
    synthmill: Synthmill, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("click.launch", opened.append)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    printed = synthmill("show", "letters", "--open").output.strip()
    assert "told in full" in Path(printed).read_text("utf-8")
    assert opened == []
    monkeypatch.setenv("DISPLAY", ":0")
    assert [synthmill("show", "letters", "--open").output.strip()] == opened


def test_why_names_reasons_and_examples_and_adds_up(synthmill: Synthmill) -> None:
    run = synthmill("sql", "select run_id from runs", "--csv").output.split()[1]
    for name in ("letters", run):
        why = synthmill("why", name).output
        assert ("source exhausted" in why) == (name == run), "why the run ended"
        assert "10 emitted = 7 accepted + 2 rejected + 1 failed" in why
        assert re.search(r"no_z +8 +7 +1 +0 +0 +speaks of z \(1\)", why)
        assert re.search(r"failed tasks: ValueError: no idea \(flows/letters.py:\d+\) \(1\)", why)
        example = re.search(r"1 +no_z +speaks of z +(\w+) +found a z", why)
        assert example and "speaks of z" in synthmill("show", example[1]).output
        assert re.search(r"^see one with: synthmill show \w+ --which rejected$", why, re.M)


def test_report_and_sql_agree(synthmill: Synthmill, home: Path) -> None:
    report = json.loads(next(home.glob("runs/*/report.json")).read_text("utf-8"))
    assert report["emitted"] == report["accepted"] + report["rejected"] + report["failed"] == 10
    counts = synthmill("sql", "select emitted, accepted, rejected, failed from runs", "--json")
    assert json.loads(counts.output) == {"emitted": 10, "accepted": 7, "rejected": 2, "failed": 1}
    assert len(ids(synthmill, "letters")) == 7 and len(ids(synthmill, "letters_rejected")) == 2


def test_seeds_and_ids_have_no_separators(synthmill: Synthmill) -> None:
    shown = synthmill("sql", "select 1234567 as seed, 7654321 as id").output
    assert re.search(r"1234567 +7654321", shown)


def test_sql_as_table_csv_and_json(synthmill: Synthmill) -> None:
    query = "select id, answer, messages, 2 as answer from letters order by answer limit 2"
    header, first, _ = csv.reader(io.StringIO(synthmill("sql", query, "--csv").output))
    assert header == ["id", "answer", "messages", "answer"]
    assert json.loads(first[2])[0]["content"] == "say a"
    sums = "select sum(calls) as a, 1.5 as b, [sum(length(answer))] as c, date '2026-01-02' as d"
    sum_of = json.loads(synthmill("sql", f"{sums} from letters", "--json").output)
    assert sum_of == {"a": 0, "b": 1.5, "c": [7], "d": "2026-01-02"}
    wide = synthmill("sql", "from letters").output
    assert "-- row 7" in wide and "task_key: " in wide
    assert "more than 3 rows" in synthmill("sql", "select id from letters", "--limit", "3").output


def test_diff_and_tags(synthmill: Synthmill) -> None:
    assert synthmill("tag", "letters", "empty", "0").output == "empty -> version 0\n"
    assert synthmill("tag", "letters", "full").output == "full -> version 1\n"
    assert "full -> version 1" in synthmill("tag", "letters").output
    change = synthmill("diff", "letters", "empty", "full").output
    assert re.search(r"added +accepted +sft +letters@1 +7", change)
    assert len(re.findall("^added", synthmill("diff", "letters", "0", "--rows").output, re.M)) == 9
    assert "the same rows" in synthmill("diff", "letters", "full").output
    assert "no accepted rows" in synthmill("show", "letters", "--version", "empty").output
    assert synthmill("tag", "letters", "full", "--delete").exit_code == 0
    assert "no tag 'ful'" in synthmill("show", "letters", "--version", "ful").output


def test_delete_source_takes_rows_out_of_the_new_version_only(synthmill: Synthmill) -> None:
    row = ids(synthmill, "letters")[0]
    asked = synthmill("delete-source", "letters", "*/problems.jsonl", input="n\n")
    assert asked.exit_code == 1
    assert "delete 7 accepted, 2 rejected of letters and block */problems.jsonl?" in asked.output
    assert len(ids(synthmill, "letters")) == 7
    done = synthmill("delete-source", "letters", "*/problems.jsonl", "--yes").output
    assert "deleted 7 accepted, 2 rejected" in done
    assert ids(synthmill, "letters_all") == []
    assert "delete */problems.jsonl, -7 accepted, -2 rejected" in synthmill("log", "letters").output
    assert row in synthmill("show", f"letters/{row}", "--version", "1").output


def test_maintain_compacts_and_names_what_it_cannot_tend(synthmill: Synthmill, home: Path) -> None:
    assert synthmill("delete-source", "letters", "nothing like it", "--yes").exit_code == 0
    before = ids(synthmill, "letters_all")
    done = synthmill("maintain", "--keep-days", "0")
    assert done.exit_code == 0, done.output
    assert re.search(r"^letters +\d+ +2 +2 +0$", done.output, re.M)
    assert ids(synthmill, "letters_all") == before
    broken = home / "datasets" / "broken" / "rows" / "_delta_log" / f"{0:020}.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{", encoding="utf-8")
    done = synthmill("maintain")
    assert done.exit_code == 2
    assert "letters " in done.stdout and "dataset 'broken'" in done.stderr


def test_commits_of_a_killed_run_are_seen_without_a_rebuild(
    synthmill: Synthmill, home: Path
) -> None:
    (home / "catalog.duckdb").unlink()
    assert len(ids(synthmill, "letters")) == 7
    assert synthmill("catalog", "rebuild").output.endswith("holds 1 dataset\n")
