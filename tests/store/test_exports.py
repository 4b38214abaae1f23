"""What exports hold, checked by loading them with `datasets` as a trainer does."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset

from synthmill.schemas.arrow import row_from_record
from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import ImagePart, Message, TextPart, VideoPart, assistant, user
from synthmill.schemas.row import Row
from synthmill.store.dataset import Dataset
from synthmill.store.export import ExportSummary, export
from synthmill.store.exports.base import ColumnarPart, load_exporter
from synthmill.store.exports.datasets import DatasetsExporter, DatasetsExportSettings
from synthmill.store.exports.trl import TrlExporter, TrlSettings
from synthmill.store.tags import set_tag
from tests.store.building import commit, make_row, make_rows

TOOLS = [
    {"type": "function", "function": {"name": "add", "parameters": {"a": {"type": "integer"}}}},
    {"type": "function", "function": {"name": "say", "parameters": {"text": {"type": "string"}}}},
]
CALL = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TRAJECTORY = [
    user("add"),
    Message(role="assistant", tool_calls=json.dumps([CALL])),
    Message(role="tool", name="add", tool_call_id="1", content="2", train=False),
    assistant("It is 2.", reasoning="1 + 1"),
]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def _export(
    dataset: Dataset, out: Path, rows: list[Row], name: str = "trl", **settings: Any
) -> ExportSummary:
    commit(dataset, rows, dataset.version)
    return export(dataset, load_exporter(name, settings), out)


def _load(out: Path, part: str, split: str = "train") -> list[dict[str, Any]]:
    whole = list(load_dataset(str(out), part, split=split))
    streamed = list(load_dataset(str(out), part, split=split, streaming=True))
    assert whole == streamed
    return whole


def _accepted(number: int, **changes: Any) -> Row:
    return make_row(number * 3 + 1, **changes)


def test_trl_sft(dataset: Dataset, out: Path) -> None:
    rows = [
        _accepted(1),
        _accepted(2, messages=[user("q"), assistant("a", reasoning="thought")], split="test"),
    ]
    summary = _export(dataset, out, rows)
    assert summary.rows == {"sft": {"test": 1, "train": 1}}
    (record,) = _load(out, "sft")
    assert record == {
        "id": rows[0].id,
        "messages": [
            {"role": "user", "content": "question 4"},
            {"role": "assistant", "content": "answer 4"},
        ],
    }
    (record,) = _load(out, "sft", "test")
    assert record["messages"][1]["content"] == "<think>\nthought\n</think>\n\na"


def test_trl_sft_as_prompt_and_completion_with_thinking(dataset: Dataset, out: Path) -> None:
    masked = [user("q"), Message(role="assistant", content="no", train=False), user("again")]
    rows = [
        _accepted(1, messages=[*masked, assistant("a", reasoning="thought")]),
        _accepted(2, messages=[user("no answer")]),
    ]
    summary = _export(dataset, out, rows, sft="prompt_completion", reasoning="thinking")
    assert summary.left_out == {"sft: trl cannot express it": 1}
    (record,) = _load(out, "sft")
    assert [m["role"] for m in record["prompt"]] == ["user", "assistant", "user"]
    assert record["completion"] == [{"role": "assistant", "content": "a", "thinking": "thought"}]


def test_trl_tools_are_not_padded(dataset: Dataset, out: Path) -> None:
    row = _accepted(1, kind="trajectory", messages=TRAJECTORY, tools=json.dumps(TOOLS))
    _export(dataset, out, [row], reasoning="drop")
    (record,) = _load(out, "sft_tools")
    assert record["tools"] == TOOLS
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    assert record["messages"] == [
        {"role": "user", "content": "add"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "2", "name": "add"},
        {"role": "assistant", "content": "It is 2."},
    ]


def test_trl_dpo(dataset: Dataset, out: Path) -> None:
    pair = {"chosen": [assistant("right")], "rejected": [assistant("wrong")]}
    row = _accepted(1, kind="preference", messages=[user("q")], **pair)
    _export(dataset, out, [row])
    (record,) = _load(out, "dpo")
    assert record == {
        "id": row.id,
        "prompt": [{"role": "user", "content": "q"}],
        "chosen": [{"role": "assistant", "content": "right"}],
        "rejected": [{"role": "assistant", "content": "wrong"}],
    }


def test_trl_grpo(dataset: Dataset, out: Path) -> None:
    plain = _accepted(1, kind="rlvr", messages=[user("1 + 1?")], answer="2", reward="math@1")
    rated = _accepted(2, kind="rlvr", messages=[user("?")], answer="é", pass_rate=0.25)
    _export(dataset, out, [plain, rated])
    first, second = _load(out, "grpo")
    assert first == {
        "id": plain.id,
        "prompt": [{"role": "user", "content": "1 + 1?"}],
        "ground_truth": "2",
        "reward": "math@1",
        "reward_args": None,
        "pass_rate": None,
        "difficulty": None,
    }
    assert (second["ground_truth"], second["pass_rate"]) == ("é", 0.25)


def test_trl_leaves_out_and_counts_what_it_cannot_express(dataset: Dataset, out: Path) -> None:
    masked = [user("q"), Message(role="assistant", content="x", train=False), assistant("a")]
    broken = [user("q"), Message(role="assistant", tool_calls="no json")]
    picture = Media(kind="image", path="media/x.png", sha256="0" * 64, mime="image/png")
    rows = [
        _accepted(1),
        _accepted(2, messages=masked),
        _accepted(3, messages=broken),
        _accepted(4, media=[picture]),
        _accepted(5, kind="corpus"),
        _accepted(6, kind="annotation"),
        _accepted(7, kind="rlvr", tools=json.dumps(TOOLS)),
    ]
    summary = _export(dataset, out, rows)
    assert summary.rows == {"sft": {"train": 1}}
    assert summary.left_out == {
        "sft: trl cannot express it": 3,
        "rlvr: trl cannot express it": 1,
        "corpus: not a kind that trl takes": 1,
        "annotation: not a kind that trl takes": 1,
    }
    assert ExportSummary.model_validate_json((out / "export.json").read_text()) == summary


def test_trl_as_json_lines(dataset: Dataset, out: Path) -> None:
    row = _accepted(1, kind="trajectory", messages=TRAJECTORY, tools=json.dumps(TOOLS))
    _export(dataset, out, [_accepted(2), row], format="jsonl")
    (line,) = (out / "sft_tools" / "train.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["tools"] == TOOLS
    (record,) = _load(out, "sft")
    assert record["messages"][0] == {"role": "user", "content": "question 7"}


def test_datasets_holds_the_rows_as_they_are(dataset: Dataset, out: Path) -> None:
    rows = [_accepted(1), _accepted(2, split="dev-hard", messages=TRAJECTORY)]
    summary = _export(dataset, out, rows, "datasets")
    assert summary.rows == {"default": {"dev_hard": 1, "train": 1}}
    for row, split in zip(rows, ("train", "dev_hard"), strict=True):
        (record,) = _load(out, "default", split)
        assert row_from_record(record) == row


def test_datasets_with_some_columns(dataset: Dataset, out: Path) -> None:
    _export(dataset, out, [_accepted(1)], "datasets", columns=["messages", "id"])
    (record,) = _load(out, "default")
    assert list(record) == ["messages", "id"]


def test_videos_are_expressed_and_text_that_looks_like_one_is_left_out(
    dataset: Dataset, out: Path
) -> None:
    frame = Media(kind="image", path="media/x.png", sha256="0" * 64, mime="image/png")
    film = VideoPart(paths=(frame.path,) * 2, mime=frame.mime, fps=4.0)
    image = ImagePart(path=frame.path, mime=frame.mime)

    def shown(number: int, *parts: Any) -> Row:
        turn = Message(role="user", content=(*parts, TextPart(text="What?")), train=False)
        media = [frame] * 2
        return _accepted(number, kind="rlvr", messages=[turn], answer="1", media=media)

    forged = _accepted(4, kind="rlvr", messages=[user("<video>\nWhat?")], answer="1")
    rows = [shown(1, film), shown(2, film, image), shown(3, film, TextPart(text="<image>")), forged]
    commit(dataset, rows, dataset.version)
    for name in ("verl", "ms_swift"):
        summary = export(dataset, load_exporter(name, {"media_root": "r"}), out / name)
        (part,) = summary.rows
        (record,) = _load(out / name, part)
        turn = record["prompt" if name == "verl" else "messages"][0]
        assert turn == {"role": "user", "content": "<video>\nWhat?"}
        video = record["videos"][0]["video"] if name == "verl" else record["videos"][0]
        assert video == ["r/media/x.png"] * 2
        assert sum(summary.left_out.values()) == 3


def test_versions_tags_kinds_splits_and_conditions(dataset: Dataset, tmp_path: Path) -> None:
    commit(dataset, [_accepted(1, pass_rate=0.2), _accepted(2, kind="corpus")], 0)
    set_tag(dataset, "first")
    commit(dataset, [_accepted(3, split="test"), _accepted(4, pass_rate=0.9)], 1)
    exporter = load_exporter("datasets")

    def rows(name: str, **options: Any) -> dict[str, int]:
        return export(dataset, exporter, tmp_path / name, **options).rows["default"]

    assert rows("all") == {"train": 3, "test": 1}
    assert rows("tag", version="first") == {"train": 2}
    assert rows("number", version="1") == {"train": 2}
    assert rows("kinds", kinds=["sft"]) == {"train": 2, "test": 1}
    assert rows("splits", splits=["test"]) == {"test": 1}
    assert rows("where", where="pass_rate < 0.5 -- easy ones") == {"train": 1}
    with pytest.raises(InputError, match=r"condition 'pas_rate < 1': .*Candidate .*pass_rate"):
        rows("wrong", where="pas_rate < 1")
    with pytest.raises(InputError, match=r"nothing to export .*: 3 rows \(sft: not asked for\)"):
        rows("nothing", kinds=["annotation"])
    with pytest.raises(InputError, match=r"no kind 'rlrv' \(did you mean 'rlvr'\?\)"):
        rows("misspelt", kinds=["sft", "rlrv"])
    names = {"all", "tag", "number", "kinds", "splits", "where"}
    assert {p.name for p in tmp_path.iterdir()} - {"cache", "factory"} == names


class Mixture(DatasetsExporter):
    """Rows with even numbers twice, odd ones left out, in two parts."""

    def select(self, rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
        for row in rows:
            if int(row.task_key.removeprefix("task-")) % 2 == 0:
                yield from (("hard", row), ("replay", row), ("replay", row))


def test_an_exporter_chooses_from_the_dataset_as_a_whole(dataset: Dataset, out: Path) -> None:
    rows = make_rows(0, 9)
    commit(dataset, rows, 0)
    exporter = Mixture(DatasetsExportSettings(columns=["id"]))
    summary = export(dataset, exporter, out, splits=["train"])
    assert summary.rows == {"hard": {"train": 3}, "replay": {"train": 6}}
    replay = load_dataset(str(out), "replay", split="train")["id"]
    assert list(replay) == [id for n in (2, 4, 8) for id in [rows[n].id] * 2]


def test_a_folder_is_replaced_only_by_force_and_only_if_it_is_an_export(
    dataset: Dataset, out: Path
) -> None:
    commit(dataset, make_rows(1, 3), 0)
    exporter = load_exporter("datasets")
    export(dataset, exporter, out)
    with pytest.raises(InputError, match="exists; give another place, or --force"):
        export(dataset, exporter, out)
    commit(dataset, make_rows(4, 6), 1)
    assert export(dataset, exporter, out, force=True).rows == {"default": {"train": 4}}
    assert len(_load(out, "default")) == 4
    (out / "export.json").unlink()
    with pytest.raises(InputError, match="is not an earlier export"):
        export(dataset, exporter, out, force=True)
    assert len(_load(out, "default")) == 4


def test_a_second_export_to_one_place_is_not_read_as_the_first(dataset: Dataset, out: Path) -> None:
    commit(dataset, [_accepted(1), _accepted(2)], 0)
    export(dataset, load_exporter("trl"), out)
    assert len(_load(out, "sft")) == 2
    commit(dataset, [_accepted(3)], 1)
    export(dataset, load_exporter("trl"), out, force=True)
    assert len(_load(out, "sft")) == 3


def test_a_failed_export_leaves_nothing(dataset: Dataset, out: Path) -> None:
    class Failing(DatasetsExporter):
        def convert(self, row: Row) -> dict[str, Any]:
            raise RuntimeError

    commit(dataset, make_rows(1, 3), 0)
    exporter = Failing(DatasetsExportSettings())
    with pytest.raises(RuntimeError):
        export(dataset, exporter, out)
    assert sorted(p.name for p in out.parent.iterdir()) == ["factory"]


def test_exporters_and_settings_are_checked() -> None:
    with pytest.raises(InputError, match=r"no exporter 'trll' \(did you mean 'trl'\?\)"):
        load_exporter("trll")
    with pytest.raises(InputError, match=r"unknown key 'resoning' \(did you mean 'reasoning'\?\)"):
        load_exporter("trl", {"resoning": "tags"})
    with pytest.raises(InputError, match=r"exporter 'datasets': 'columns': .*no column 'mesages'"):
        load_exporter("datasets", {"columns": ["mesages"]})
    with pytest.raises(InputError, match=r"'format': Input .* \(given: 'xml'\)$"):
        load_exporter("trl", {"format": "xml"})


class RowByRow(TrlExporter):
    """TRL without SQL."""

    def columnar(self) -> list[ColumnarPart]:
        return []


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("reasoning", ["tags", "drop", "thinking"])
@pytest.mark.parametrize("sft", ["messages", "prompt_completion"])
def test_trl_by_sql_is_what_it_is_row_by_row(
    dataset: Dataset, out: Path, sft: str, reasoning: str, form: str
) -> None:
    thought = assistant('"quoted" \\ \u00e9\u4e2d\U0001f600\n\x01', reasoning="line\nline")
    system = Message(role="system", content=None)
    masked = Message(role="assistant", content="not trained", train=False)
    parts = Message(role="user", content=(TextPart(text="one"), TextPart(text="two")))
    rows = [
        _accepted(1, messages=[system, user("q"), thought]),
        _accepted(2, messages=[parts, thought], split="test"),
        _accepted(3, messages=[user("q"), masked, user("q"), thought]),
        _accepted(4, messages=[user("q"), thought, user("q"), masked]),
        _accepted(5, messages=[]),
        _accepted(6, messages=[user("q")], answer="7"),
        _accepted(7, messages=TRAJECTORY, tools=json.dumps(TOOLS), kind="trajectory"),
        _accepted(8, messages=[user("q")], chosen=[thought], rejected=[masked], kind="preference"),
        _accepted(9, messages=[user("q")], kind="rlvr", answer=None, pass_rate=0.5),
        _accepted(10, messages=[user("q"), assistant("a")], tools="[]"),
        _accepted(11, kind="corpus"),
    ]
    commit(dataset, rows, dataset.version)
    settings = {"format": form, "reasoning": reasoning, "sft": sft}
    fast = export(dataset, load_exporter("trl", settings), out)
    slow_out = out.with_name("slow")
    slow = export(dataset, RowByRow(TrlSettings(**settings)), slow_out)
    assert fast == slow
    for part, splits in fast.rows.items():
        for split in splits:
            assert _load(out, part, split) == _load(slow_out, part, split)
