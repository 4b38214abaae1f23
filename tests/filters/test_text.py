import pytest

from synthmill.filters.text import (
    last_box,
    question,
    responses,
    stated_answer,
    steps,
    tokens,
    visible,
)
from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import ImagePart, Message, TextPart, assistant, user
from synthmill.schemas.row import Candidate
from tests.filters.candidates import pair, sft, task


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"so \boxed{7}.", "7"),
        (r"\boxed{1} and then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\boxed{3}}", "3"),
        (r"\fbox{ x }", "x"),
        (r"\boxed {4}", "4"),
    ],
)
def test_last_box(text: str, content: str) -> None:
    box = last_box(text)
    assert box is not None
    assert box.content == content


def test_a_box_that_never_closes_is_seen_and_no_box_is_none() -> None:
    box = last_box(r"so \boxed{\frac{1}{2}")
    assert box is not None
    assert box.content is None
    assert last_box("boxed{3} and braces {}") is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"The answer is 3. \boxed{7}", "7"),
        ("Long text.\nThe answer is 12.", "12"),
        ("Final Answer: **B**", "B"),
        ("x\n#### 42", "42"),
        ("<think>\\boxed{3}</think>The answer is 4", "4"),
        ("There are 12 of them.", None),
        (r"answer: 3 \boxed{", None),
        (r"\boxed{}", None),
    ],
)
def test_stated_answer(text: str, answer: str | None) -> None:
    assert stated_answer(text) == answer


def test_only_a_box_counts_when_asked() -> None:
    assert stated_answer("The answer is 12.", boxed_only=True) is None


def test_numbered_steps_hold_all_up_to_the_next() -> None:
    text = "Well.\nStep 1: 3 + 4 = 7\nwhich is odd\n**Step 2:** 7 * 2 = 14\nSo \\boxed{14}."
    assert [(s.number, s.text) for s in steps(text)] == [
        (1, "3 + 4 = 7\nwhich is odd"),
        (2, "7 * 2 = 14"),
    ]


def test_lines_are_steps_where_there_are_no_numbers() -> None:
    assert [s.text for s in steps("3 + 4 = 7\n\n7 * 2 = 14\n\\boxed{14}")] == [
        "3 + 4 = 7",
        "7 * 2 = 14",
    ]
    assert [s.number for s in steps("a\nb")] == [None, None]


def test_a_step_may_hold_the_box() -> None:
    assert [s.number for s in steps("Step 1: a\nStep 2: so \\boxed{3}")] == [1, 2]


def test_thinking_is_no_step() -> None:
    assert visible("<think>a</think>b") == "b"
    assert [s.text for s in steps("<think>a\nb\nc</think>d")] == ["d"]


def test_responses_by_kind() -> None:
    assert [r.content for r in responses(sft("yes"))] == ["yes"]
    assert [r.label for r in responses(pair("a", "b"))] == ["chosen", "rejected"]
    assert responses(task("q", "1")) == []
    thoughtful = Candidate(kind="sft", messages=[user("q"), assistant("4", reasoning="2+2")])
    assert responses(thoughtful)[0].trace == "2+2\n4"


def test_a_pair_without_a_text_has_an_empty_side() -> None:
    halved = Candidate(kind="preference", messages=[user("q")], chosen=[assistant("a")])
    assert [(r.label, r.content) for r in responses(halved)] == [("chosen", "a"), ("rejected", "")]


def test_content_parts_give_their_text() -> None:
    image = ImagePart(path="media/x.png", mime="image/png")
    message = Message(role="user", content=(TextPart(text="What is it?"), image))
    file = Media(kind="image", path="media/x.png", sha256="0", mime="image/png")
    shown = Candidate(kind="sft", messages=[message, user("Well?"), user("[{1, 2}]")], media=[file])
    assert question(shown) == "What is it?\nWell?\n[{1, 2}]"


def test_what_a_parser_refuses_is_plain_text() -> None:
    nested = '[{"a":' + 100_000 * "["
    assert question(Candidate(kind="sft", messages=[user(nested)])) == nested
    endless = f"Step {5000 * '1'}: add"
    assert [(s.number, s.text) for s in steps(endless)] == [(None, endless)]


def test_tokens_keep_operators() -> None:
    assert tokens("Ana's 3+4") == ["ana", "'", "s", "3", "+", "4"]
