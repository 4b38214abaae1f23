from synthmill.filters.text import question, responses, split_steps, tokens
from synthmill.rewards.math_answers import strip_thinking
from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import ImagePart, Message, TextPart, assistant, user
from synthmill.schemas.row import Candidate
from tests.filters.candidates import pair, sft, task


def test_numbered_steps_hold_all_up_to_the_next() -> None:
    text = "Well.\nStep 1: 3 + 4 = 7\nwhich is odd\n**Step 2:** 7 * 2 = 14\nSo \\boxed{14}."
    assert [(s.number, s.body) for s in split_steps(text)] == [
        (1, "3 + 4 = 7\nwhich is odd"),
        (2, "7 * 2 = 14"),
    ]


def test_lines_are_steps_where_there_are_no_numbers() -> None:
    assert [s.body for s in split_steps("3 + 4 = 7\n\n7 * 2 = 14\n\\boxed{14}")] == [
        "3 + 4 = 7",
        "7 * 2 = 14",
    ]
    assert [s.number for s in split_steps("a\nb")] == [None, None]


def test_a_step_may_hold_the_box() -> None:
    assert [s.number for s in split_steps("Step 1: a\nStep 2: so \\boxed{3}")] == [1, 2]


def test_thinking_is_no_step() -> None:
    assert strip_thinking("<think>a</think>b") == "b"
    assert [s.body for s in split_steps(strip_thinking("<think>a\nb\nc</think>d"))] == ["d"]


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
    assert [(s.number, s.body) for s in split_steps(endless)] == [(None, endless)]


def test_tokens_keep_operators() -> None:
    assert tokens("Ana's 3+4") == ["ana", "'", "s", "3", "+", "4"]
