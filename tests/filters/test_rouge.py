from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from synthmill.filters.rouge import rouge_l, rouge_l_tokens
from tests.filters.candidates import make, pair, sft, task, told

WORDS = st.lists(st.sampled_from("abcde"), max_size=15)


def reference(left: list[str], right: list[str]) -> float:
    """ROUGE-L F1 as Lin defines it, by the textbook's recursion."""

    @cache
    def longest(i: int, j: int) -> int:
        if i == len(left) or j == len(right):
            return 0
        if left[i] == right[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    if left == right:
        return 1.0
    common = longest(0, 0)
    if not common:
        return 0.0
    precision, recall = common / len(left), common / len(right)
    return 2 * precision * recall / (precision + recall)


@given(WORDS, WORDS)
def test_rouge_l_is_its_definition(left: list[str], right: list[str]) -> None:
    assert abs(rouge_l_tokens(left, right) - reference(left, right)) < 1e-12


@given(WORDS, WORDS, st.floats(0, 1))
def test_a_floor_changes_only_what_lies_below(
    left: list[str], right: list[str], floor: float
) -> None:
    exact = reference(left, right)
    bounded = rouge_l_tokens(left, right, floor)
    if exact >= floor:
        assert abs(bounded - exact) < 1e-12
    else:
        assert bounded < exact + 1e-12


def test_signs_count() -> None:
    assert rouge_l("3 + 4", "3+4") == 1
    assert rouge_l("3 + 4", "3 * 4") < 1
    assert rouge_l("", "") == 1


LONG = "first we add three and four then we double what we have and are done"


def test_siblings_are_rows_of_the_same_question() -> None:
    judge = make("sibling_rouge")
    judge.add("row-1", sft(LONG, question="How many?"))
    close = LONG.replace("double", "halve")
    verdict = judge.judge(sft(close, question="how  MANY?"))
    assert (verdict.status, verdict.reason) == ("fail", "too similar to a sibling")
    assert "row row-1, ROUGE-L 0.9" in verdict.detail
    assert told(judge, sft(close, question="How much?"))[0] == "pass"
    assert told(judge, sft("quite another way", question="How many?"))[0] == "pass"
    assert told(judge, task("How many?"))[0] == "skipped"


def test_the_threshold_itself_passes() -> None:
    judge = make("sibling_rouge", threshold=0.5)
    judge.add("r", sft("a b c d"))
    assert judge.judge(sft("a b x y")).score == 0.5
    assert told(judge, sft("a b x y"))[0] == "pass"
    assert told(judge, sft("a b c y"))[0] == "fail"


def test_pairs_are_alike_where_both_sides_are() -> None:
    judge = make("sibling_rouge")
    judge.add("r", pair(LONG, "a wrong way to do it"))
    assert told(judge, pair(LONG, "something else went amiss"))[0] == "pass"
    assert told(judge, pair(LONG, "a wrong way to do it"))[0] == "fail"
    assert told(judge, sft(LONG))[0] == "pass"  # another kind


def test_many_siblings_and_questions_are_kept_apart() -> None:
    judge = make("sibling_rouge")
    for number in range(9000):  # more than are kept in memory
        judge.add(f"row-{number}", sft(f"w{number} " * 5, question=f"Question {number % 4500}?"))
    for number in (0, 4095, 4096, 8191, 8192, 8999):
        same = sft(f"w{number} " * 5, question=f"Question {number % 4500}?")
        assert f"row row-{number}," in (judge.judge(same).detail or "")
        assert told(judge, sft(f"w{number} " * 5, question="Another?"))[0] == "pass"
    assert judge.to_arrow(4000, 8500).column("row_id").to_pylist() == [
        f"row-{number}" for number in range(4000, 8500)
    ]
