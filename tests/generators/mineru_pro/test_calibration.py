"""Fitted thresholds, and OmniDocBench's files and overall score, by worked values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.mineru_pro.calibration import JudgedRegion, fit, judged, wilson
from synthmill.generators.mineru_pro.consistency import THRESHOLDS, conclude
from synthmill.generators.mineru_pro.omnidocbench import (
    annotated,
    benchmark_score,
    read_truth,
    score_page,
)
from synthmill.generators.mineru_pro.records import PageElement, Similarity, Vote
from synthmill.rewards.document_tables import TableCell, table_html
from synthmill.schemas.errors import InputError

BOX = (0.0, 0.0, 100.0, 20.0)
VOTES = [Vote(parser=name, family=name, content=name) for name in ("t", "a")]


def region(similarity, right):
    pairs = [Similarity(first="t", second="a", value=similarity)]
    consensus = conclude("text", "text", BOX, VOTES, "t", THRESHOLDS, pairs)
    return JudgedRegion(consensus=consensus, right=["t", "a"] if right else [])


def element(kind, content, box=BOX):
    return PageElement(kind=kind, box=box, content=content)


def test_the_lowest_threshold_that_reaches_the_precision():
    """Above 0.8 all 40 labels are right, at 0.8 one of five is wrong."""
    regions = [region(0.95, True)] * 40 + [region(0.805, True)] * 4 + [region(0.803, False)]
    found = fit(regions, "t", 0.98, pages=3).sub_tasks["text"]
    assert (found.threshold, found.reached, found.regions) == (0.81, True, 45)
    at = {point.threshold: point for point in found.curve}
    assert (at[0.8].labels, at[0.8].right) == (45, 44)
    assert at[0.8].precision == pytest.approx(44 / 45)
    assert (at[0.95].labels, at[0.95].low) == (40, pytest.approx(0.912, abs=0.001))


def test_a_precision_that_is_not_reached_leaves_identical_contents():
    found = fit([region(1.0, False), region(0.9, True)], "t", 0.98, pages=1).sub_tasks["text"]
    assert (found.threshold, found.reached) == (1.0, False)


def test_fitted_thresholds_replace_those_of_the_same_sub_task():
    calibration = fit([region(0.95, True)], "t", 0.98, pages=1)
    assert calibration.thresholds(THRESHOLDS) == {**THRESHOLDS, "text": 0.5}


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_interval_holds_the_share(right, wrong):
    low, high = wilson(right, right + wrong)
    share = right / (right + wrong) if right + wrong else 0.5
    assert 0 <= low <= share + 1e-9 and share - 1e-9 <= high <= 1


def test_votes_are_judged_by_the_labeled_elements_they_cover():
    """A region over two labeled paragraphs is right with the text of both."""
    truth = [element("text", "one two", (0, 0, 100, 9)), element("text", "three", (0, 10, 100, 20))]
    votes = [
        Vote(parser="t", family="t", content="one two\nthree"),
        Vote(parser="a", family="a", content="one two"),
    ]
    consensus = conclude("text", "text", BOX, votes, "t", THRESHOLDS)
    assert judged(consensus, truth, (100, 100)).right == ["t"]
    assert judged(consensus, [], (100, 100)).right == []


def test_the_overall_score_of_worked_values():
    """One of eight characters, one changed cell of four, and a perfect formula."""
    table = [[TableCell("a"), TableCell("b")]]
    truth = [
        element("text", "abcdefgh", (0, 0, 100, 20)),
        element("table", table_html(table), (0, 30, 100, 50)),
        element("formula", "x^2", (0, 60, 100, 80)),
    ]
    said = [
        element("formula", r"x^{2}", (0, 60, 100, 80)),
        element("text", "abcdefgX", (0, 0, 100, 20)),
        element("table", table_html([[TableCell("a"), TableCell("z")]]), (0, 30, 100, 50)),
    ]
    page = score_page("p", truth, said)
    assert page.text_edit == pytest.approx(1 / 8)
    assert page.tables == [pytest.approx(2 / 3)]
    assert page.formulas == [1.0]
    assert page.order_edit == pytest.approx(2 / 3)
    total = benchmark_score([page])
    assert total.overall == pytest.approx((87.5 + 200 / 3 + 100) / 3)
    nothing = score_page("p", truth, [])
    assert (nothing.text_edit, nothing.tables, nothing.formulas) == (1.0, [0.0], [0.0])
    assert benchmark_score([score_page("p", truth, truth)]).overall == 100
    assert benchmark_score([]).overall is None


def test_the_benchmark_file_is_written_and_read_back(tmp_path):
    elements = [element("title", "A"), element("table", "<table></table>", (0, 30, 100, 50))]
    page = annotated("scan.png", 2, (600, 800), elements)
    (tmp_path / "truth.json").write_text(json.dumps([page]))
    (found,) = read_truth(tmp_path).items()
    assert found[0] == ("scan.png", 2)
    assert found[1].elements(600, 800) == elements
    assert found[1].elements(300, 400)[1].box == (0, 15, 50, 25)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "a list of pages"),
        ("[1", "not JSON"),
        ('[{"layout_dets": [], "page_info": {"image_path": "a"}}]', "page_info.height"),
    ],
)
def test_broken_files_are_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_truth(tmp_path)
