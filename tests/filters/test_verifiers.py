import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.filters.candidates import make, pair, sft, task, told


def test_exact_answer() -> None:
    judge = make("exact_answer")
    assert told(judge, sft(r"\boxed{ Paris. }", answer="paris")) == ("pass", None)
    assert told(judge, sft(r"\boxed{1/2}", answer="0.5")) == ("fail", "answers differ")
    assert told(judge, sft("I do not know", answer="5")) == ("fail", "no final answer")
    assert told(judge, sft("x")) == ("skipped", "no answer")
    assert told(judge, task("q", "5")) == ("skipped", "no response")
    assert told(judge, pair(r"\boxed{5}", r"\boxed{6}", answer="5")) == ("pass", None)
    assert told(judge, pair(r"\boxed{5}", r"\boxed{5}", answer="5"))[0] == "fail"
    assert told(judge, pair(r"\boxed{6}", r"\boxed{7}", answer="5"))[0] == "fail"


@given(st.text(min_size=1, max_size=30))
def test_exact_answer_finds_itself(answer: str) -> None:
    judge = make("exact_answer")
    verdict = judge.judge(sft(f"#### {answer}", answer=answer))
    assert verdict.status in ("pass", "fail", "skipped")  # never raises
    if answer.isalnum() and answer.isascii():
        assert verdict.status == "pass"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Step 1: 3 + 4 = 7\nThe answer is \\boxed{7}.", None),
        ("3 + 4 = 7\n\\boxed{7}", None),
        ("Step 1: a\nStep 2: b\nStep 3: \\boxed{[0, 1)}", None),
        ("Step 1: 3 + 4 = 7", "no boxed answer"),
        ("Step 1: x\n\\boxed{\\frac{1}{2}", "box never closes"),
        ("Step 1: x\n\\boxed{}", "answer is empty or a placeholder"),
        ("Step 1: x\n\\boxed{...}", "answer is empty or a placeholder"),
        ("Step 1: x\n\\boxed{answer}", "answer is empty or a placeholder"),
        ("Step 1: x\n\\boxed{(1, 2}", "brackets of the answer do not match"),
        ("Step 1: x\n\\boxed{7}" + " and so on" * 30, "too much text after the answer"),
        ("Step 1: a\nStep 3: b\n\\boxed{7}", "steps out of order"),
        ("Step 2: a\n\\boxed{7}", "steps out of order"),
        ("Step 1: a\nStep 1: b\n\\boxed{7}", "steps out of order"),
        ("Step 1:\nStep 2: b\n\\boxed{7}", "empty step"),
        ("\\boxed{7}", "too few steps"),
        ("\n".join(f"Step {i}: a" for i in range(1, 12)) + "\n\\boxed{7}", "too many steps"),
        ("\n".join(f"Step {i}: a" for i in range(1, 11)) + "\n\\boxed{7}", None),
        ("<think>a</think>Step 1: a\n\\boxed{7}", None),
        ("<think>a Step 1: a\n\\boxed{7}", "unbalanced think tags"),
        ("a</think>Step 1: a\n\\boxed{7}", "unbalanced think tags"),
        ("</think>a<think>Step 1: a\n\\boxed{7}", "unbalanced think tags"),
        ("Step 1: a\n\\boxed{" + "1+" * 200 + "1}", "answer too long"),
    ],
)
def test_format(text: str, fault: str | None) -> None:
    assert told(make("format"), sft(text)) == ("fail" if fault else "pass", fault)


def test_format_settings() -> None:
    assert told(make("format", numbered=True), sft("a\n\\boxed{1}"))[1] == "steps without numbers"
    assert told(make("format", boxed=False), sft("a"))[0] == "pass"
    assert told(make("format", max_steps=None), sft("a\n" * 50 + "\\boxed{1}"))[0] == "pass"
    one_sided = pair("a\n\\boxed{1}", "no box")
    assert told(make("format"), one_sided)[0] == "pass"
    assert told(make("format", rejected=True), one_sided)[0] == "fail"


def test_format_of_a_task_is_that_of_its_answer() -> None:
    assert told(make("format"), task("q", "(1, 2)")) == ("pass", None)
    assert told(make("format"), task("q", "...")) == ("fail", "answer is empty or a placeholder")
    assert told(make("format"), task("q", "(1, 2")) == (
        "fail",
        "brackets of the answer do not match",
    )
    assert told(make("format"), task("q"))[0] == "skipped"
    assert told(make("format"), task("text", kind="corpus"))[0] == "skipped"


def test_length() -> None:
    assert told(make("length"), sft("a word")) == ("pass", None)
    assert told(make("length"), sft(" "))[0] == "fail"
    assert told(make("length", max_characters=3), sft("four")) == ("fail", "too many characters")
    assert told(make("length", min_words=3), sft("two words")) == ("fail", "too few words")
    assert told(make("length", min_messages=3), sft("x")) == ("fail", "too few messages")
    assert told(make("length", max_words=2), pair("a b", "a b c")) == ("fail", "too many words")
    assert told(make("length", min_words=2), task("one")) == ("fail", "too few words")
    verdict = make("length", max_characters=3).judge(sft("four"))
    assert (verdict.score, verdict.detail) == (4.0, "response 4 > 3")


def test_ngram_redundancy() -> None:
    judge = make("ngram_redundancy")
    ten = "one two three four five six seven eight nine ten "
    assert told(judge, sft(ten * 10))[0] == "fail"
    assert told(judge, sft(ten * 9))[0] == "pass"
    assert told(judge, sft(ten.replace(" ", "_") * 10))[0] == "fail"
    assert told(judge, sft("short"))[0] == "pass"
    assert told(judge, task("q", "1"))[0] == "skipped"
    assert told(judge, pair("fine", ten * 10))[0] == "pass"
    assert told(make("ngram_redundancy", repeats=6), sft(ten * 6))[0] == "fail"
    assert told(make("ngram_redundancy", min_distinct=0.5), sft(ten * 5))[0] == "fail"


@given(st.lists(st.sampled_from("abc"), max_size=60), st.integers(1, 4))
def test_ngram_score_is_the_share_of_distinct_runs(words: list[str], n: int) -> None:
    runs = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    score = make("ngram_redundancy", n=n, repeats=1000).judge(sft(" ".join(words))).score
    if words:
        assert score == (len(set(runs)) / len(runs) if runs else 1.0)
