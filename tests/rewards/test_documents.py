"""Metrics of text, formulas, layout and reading order, and the assignment they rest on."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.rewards import reward
from synthmill.rewards.documents import (
    Region,
    assign,
    bit_parallel_distance,
    edit_distance,
    formula_similarity,
    iou,
    latex_tokens,
    layout_similarity,
    order_similarity,
    parse_layout,
    text_similarity,
    trl_reward,
)

PIECES = r"x ^ _ { } \frac \left( \right. ' \\ & \tag{1} ~ \begin{align*} \end{align*}"
FORMULA_PIECES = st.lists(st.sampled_from([*PIECES.split(), r"\begin{array}{cc}", "\\ "])).map(
    " ".join
)
SIDES = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 9), st.integers(1, 9))
REGIONS = st.lists(
    st.builds(
        lambda category, box: Region(category, box[0], box[1], box[0] + box[2], box[1] + box[3]),
        st.sampled_from(["text", "table"]),
        SIDES,
    ),
    max_size=8,
)


def test_text_similarity_of_worked_values():
    """kitten -> sitting takes 3 of 7 edits; ligatures and spaces are normalized."""
    assert text_similarity("kitten", "sitting") == pytest.approx(4 / 7)
    assert text_similarity("the \ufb01rst\n line", "the first line") == 1.0
    assert text_similarity("", "text") == 0.0
    assert text_similarity("", "") == 1.0


@given(st.text("ab ", max_size=90), st.text("abc", max_size=90))
def test_the_distance_without_rapidfuzz_is_the_same(first, second):
    """Longer than a machine word, so that carries are seen."""
    assert bit_parallel_distance(first, second) == edit_distance(first, second)


@given(st.text(max_size=60), st.text(max_size=60))
def test_text_similarity_is_symmetric_and_bounded(first, second):
    score = text_similarity(first, second)
    assert 0 <= score <= 1
    assert score == text_similarity(second, first)
    assert text_similarity(first, first) == 1.0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (r"\[ x^{2} \]", "x^2"),
        (r"x^a_{i}", "x_i^{a}"),
        (r"x^{a_2^1}_{i+1}", "x_{i+1}^{a^1_2}"),
        (r"\dfrac{a}{b} \tag{3.1}", r"\frac ab"),
        (r"\left. f' \right|_{0}", r"f^{\prime}|_0"),
        (
            r"\begin{align*} a &= b \\ c &= d \end{align*}",
            r"\begin{aligned}a&=b\\c&=d\end{aligned}",
        ),
        (r"\begin{array}{ll} 1 & 2 \end{array}", r"\begin{array}{c c} 1 & 2 \end{array}"),
        (r"a\ b\quad c~d", "abcd"),
    ],
)
def test_the_same_formula_written_in_two_ways_has_the_same_tokens(first, second):
    assert latex_tokens(first) == latex_tokens(second)
    assert formula_similarity(first, second) == 1.0


def test_other_formulas_score_by_their_tokens():
    """One sign of five tokens; braces that matter are kept."""
    assert formula_similarity("a + b = c", "a - b = c") == pytest.approx(4 / 5)
    assert formula_similarity("x^{12}", "x^12") < 1
    assert formula_similarity("", "x") == 0.0


@given(FORMULA_PIECES, FORMULA_PIECES)
def test_formula_similarity_is_symmetric_and_never_fails(first, second):
    score = formula_similarity(first, second)
    assert 0 <= score <= 1
    assert score == formula_similarity(second, first)
    assert formula_similarity(first, first) == 1.0


def test_a_formula_of_braces_takes_linear_time():
    assert latex_tokens("{" * 100_000)[-1] == "{"
    assert formula_similarity("x^" * 20_000, "x_" * 20_000) == 0.5


def test_layout_similarity_of_worked_values():
    """Half of a box, the wrong category, and a missing box."""
    whole, half = Region("text", 0, 0, 10, 10), Region("text", 0, 0, 10, 5)
    assert iou(whole[1:], half[1:]) == 0.5
    assert layout_similarity([whole], [half]) == 0.5
    assert layout_similarity([whole], [whole._replace(category="table")]) == 0.0
    assert layout_similarity([whole, half._replace(y0=20, y1=30)], [whole]) == pytest.approx(2 / 3)
    assert layout_similarity([], []) == 1.0
    assert layout_similarity([], [whole]) == 0.0


def test_order_similarity_counts_moved_regions():
    """Of four regions in another order: the last one first is one deletion and one insertion."""
    page = [Region("text", 0, 20 * k, 10, 20 * k + 10) for k in range(4)]
    assert order_similarity(page, page) == 1.0
    assert order_similarity([page[3], *page[:3]], page) == 0.5
    assert order_similarity([page[2], page[0]], page) == 0.0
    assert order_similarity([page[0], page[2]], page) == 1.0
    assert order_similarity([], page) == 0.0


@given(REGIONS, REGIONS)
def test_layout_similarity_is_symmetric_and_bounded(first, second):
    score = layout_similarity(first, second)
    assert 0 <= score <= 1 + 1e-9
    assert score == pytest.approx(layout_similarity(second, first))
    assert 0 <= order_similarity(first, second) <= 1


@given(
    st.lists(
        st.lists(st.sampled_from([0.0, 0.0, 0.2, 0.5, 0.9]), min_size=4, max_size=4), max_size=4
    )
)
def test_assignment_is_the_best_of_all(weights):
    """Compared with all assignments of up to four rows to four columns."""
    pairs = assign(weights)
    best = max(
        sum(weights[i][j] for i, j in enumerate(chosen))
        for chosen in permutations(range(4), len(weights))
    )
    assert sum(weights[i][j] for i, j in pairs) == pytest.approx(best)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(weights[i][j] > 0 for i, j in pairs)


def test_layout_tokens_are_read_in_order():
    text = (
        "<|box_start|>096 072 905 135<|box_end|><|ref_start|>title<|ref_end|><|rotate_up|>\n"
        "<|box_start|>5 5 5 9<|box_end|><|ref_start|>text<|ref_end|>\n"
        "<|box_start|>1 2 30 40<|box_end|><|ref_start|>table<|ref_end|><|rotate_left|>"
    )
    assert parse_layout(text) == [Region("title", 96, 72, 905, 135), Region("table", 1, 2, 30, 40)]
    assert reward("document.layout@1")(text, text) == 1.0
    assert reward("document.order@1")(text, text) == 1.0


def test_thousands_of_boxes_are_bounded():
    many = [Region("text", 0, 0, 10, 10)] * 5000
    assert layout_similarity(many, many) == pytest.approx(200 / 5000)


def test_a_trainer_reads_scores_of_its_own_rows():
    """Rows of other tasks get None, which TRL leaves out."""
    scores = trl_reward(
        ["abc", [{"role": "assistant", "content": "x^2"}], "y"],
        data_source=["document.text", "document.formula@1", "document.table"],
        solution=["abd", "x^{2}", "z"],
    )
    assert scores == [pytest.approx(2 / 3), 1.0, None]
    with pytest.raises(ValueError, match="no reward"):
        reward("document.unknown@1")
