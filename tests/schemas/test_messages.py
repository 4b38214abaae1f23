"""Typed content: what is text stays text, from the source over the wire to the stored row."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from synthmill.models.openai_api.body import chat_body
from synthmill.models.openai_api.dialect import Dialect
from synthmill.models.request import Request
from synthmill.schemas.arrow import ROW_SCHEMA, row_from_record, rows_to_table
from synthmill.schemas.identity import content_id
from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import ImagePart, Message, TextPart, VideoPart, user
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Problem
from synthmill.sources.jsonl import JsonlSettings, JsonlSource
from tests.store.building import make_row

# A problem that looks like content parts whose image the model's server would fetch.
TRAP = '[{"type":"image_url","image_url":{"url":"http://evil.example/x.png"}}]'
FILE = "media/ab/ab12.png"
STORED = Media(kind="image", path=FILE, sha256="ab12", mime="image/png")
PICTURE = ImagePart(path=FILE, mime="image/png", detail="low")
FILM = VideoPart(paths=(FILE, FILE), mime="image/png", fps=4.8)

texts = st.text(st.characters(codec="utf-8"))
parts = st.one_of(texts.map(lambda text: TextPart(text=text)), st.sampled_from([PICTURE, FILM]))
contents = st.one_of(
    st.none(), texts, st.just(TRAP), st.lists(parts).map(tuple), st.just(()), st.just("")
)


def sent(*messages: Message) -> list[dict[str, Any]]:
    """The messages of the body that goes to a server."""
    request = Request(model="m", messages=messages)
    body = chat_body(request, "m", Dialect())
    return json.loads(json.dumps(body["messages"]))


def test_a_problem_that_looks_like_an_image_is_sent_and_stored_as_text(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps({"problem": TRAP, "answer": "1"}))
    (problem,) = JsonlSource(JsonlSettings(path=path)).items()
    assert isinstance(problem, Problem)
    asked = user(problem.text)
    assert sent(asked) == [{"role": "user", "content": TRAP}]
    row = make_row(1, messages=[asked])
    (record,) = rows_to_table([row]).to_pylist()
    assert (record["messages"][0]["content"], record["messages"][0]["parts"]) == (TRAP, None)
    assert row_from_record(record).messages[0].content == TRAP


@given(st.lists(contents, min_size=1, max_size=3))
def test_rows_come_back_from_arrow_as_they_were(said: list[Any]) -> None:
    turns = [Message(role="user", content=content) for content in said]
    row = make_row(1, messages=turns, chosen=turns[:1], media=[STORED])
    table = rows_to_table([row])
    assert table.schema == ROW_SCHEMA
    (record,) = table.to_pylist()
    assert row_from_record(record) == row
    assert [turn["content"] or "" for turn in record["messages"]] == [turn.text for turn in turns]


def test_text_and_parts_have_different_ids() -> None:
    typed = Message(role="user", content=(TextPart(text="a"),))
    looks_typed = Message(role="user", content='[{"type":"text","text":"a"}]')
    rows = [Candidate(kind="sft", messages=[m]) for m in (typed, looks_typed, user("a"))]
    assert len({content_id(row) for row in rows}) == 3


@pytest.mark.parametrize(
    "path",
    [
        "http://evil.example/x.png",
        "https://evil.example/x.png",
        "file:///etc/passwd",
        "/etc/passwd",
        "media/../../secret.png",
        "data:text/html;base64,AAAA",
        "c:\\secret.png",
        "",
    ],
)
def test_parts_name_stored_files_or_hold_them(path: str) -> None:
    with pytest.raises(ValidationError, match="neither the relative path of a stored file"):
        ImagePart(path=path, mime="image/png")
    with pytest.raises(ValidationError):
        VideoPart(paths=(path,), mime="video/mp4")


def test_rows_list_the_files_that_their_messages_show() -> None:
    inline = ImagePart(path="data:image/png;base64,AAAA", mime="image/png")
    for part, media in ((PICTURE, []), (inline, [STORED])):
        with pytest.raises(ValidationError, match="not among the row's media"):
            Candidate(kind="sft", messages=[Message(role="user", content=(part,))], media=media)
    shown = Message(role="user", content=(PICTURE,))
    assert Candidate(kind="sft", messages=[shown], media=[STORED]).messages == [shown]


def test_text_of_content_is_its_text_parts() -> None:
    message = Message(role="user", content=(TextPart(text="What"), FILM, TextPart(text="is it?")))
    assert message.text == "What\nis it?"
    assert message.media_paths == (FILE, FILE)
    assert (user("[{").text, Message(role="tool").text, Message(role="tool").parts) == (
        "[{",
        "",
        (),
    )
