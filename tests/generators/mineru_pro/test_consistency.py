"""Matching with splits and merges, tiers, and labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.mineru_pro.consistency import (
    THRESHOLDS,
    conclude,
    layout_text,
    one_of_each_family,
    page_consensus,
)
from synthmill.generators.mineru_pro.matching import align
from synthmill.generators.mineru_pro.records import PageElement, ParsedPage, Vote
from synthmill.rewards.document_tables import TableCell, table_html

A = "The quick brown fox jumps over the lazy dog near the river bank."
B = "Another sentence that has nothing in common with the first one at all."
C = "Completely different words describe copper and silver mines up north."


def text(content, top, bottom=None, kind="text"):
    return PageElement(kind=kind, box=(50, top, 550, bottom or top + 40), content=content)


def parsed(parser, *elements, family=None, **more):
    return ParsedPage(parser=parser, family=family or parser, elements=elements, **more)


def consensus(*pages, target="t"):
    return page_consensus(pages, target, THRESHOLDS, (600, 800))[1:]


def test_a_finer_parser_is_merged_and_a_coarser_one_split():
    """One paragraph against two halves, both ways; the unrelated one stays by itself."""
    whole, halves = [text(f"{A}\n{B}", 0, 80)], [text(A, 0), text(B, 40, 80)]
    assert align(whole, halves).contents == (f"{A}\n{B}",)
    assert align(halves, whole).contents == (A, B)
    assert align(whole, [*halves, text(C, 300)]).unmatched == (2,)


def test_more_pieces_than_can_be_enumerated_are_merged_by_place():
    lines = [text(f"line {k} of the text", 10 * k, 10 * k + 9) for k in range(30)]
    joined = "\n".join(line.content for line in lines[:20])
    fixed = [text(joined, 0, 199), text(C, 600)]
    assert align(fixed, lines).contents == (joined, None)


def test_equal_texts_in_two_places_are_not_confused():
    page = [text("Total", 0), text("Total", 100), text("Total", 200)]
    assert align(page, page[1:2]).contents == (None, "Total", None)


def test_a_table_over_text_is_flattened():
    html = table_html([[TableCell("left words"), TableCell("right words")]])
    found = align([text("left words right words", 0)], [text(html, 0, kind="table")])
    assert found.contents == ("left words right words",)
    assert align([text(html, 0, kind="table")], [text("left", 0)]).contents == (None,)


def test_formulas_are_split_at_their_line_breaks():
    whole = text(r"a = b + c \\ d = e - f", 0, 80, kind="formula")
    halves = [text("a=b+c", 0, 40, kind="formula"), text("d=e-f", 40, 80, kind="formula")]
    assert align(halves, [whole]).contents == ("a = b + c", "d = e - f")


@pytest.mark.parametrize(
    ("contents", "tier", "label_from"),
    [
        ({"t": A, "a": A, "b": B}, "easy", "t"),
        ({"t": A, "a": B, "b": A}, "easy", "t"),
        ({"t": A + "x", "a": A, "b": A}, "easy", "a"),  # the medoid
        ({"t": A, "a": B, "b": B}, "medium", "a"),
        ({"t": A, "a": B, "b": C}, "hard", None),
        ({"a": A, "b": A}, "medium", "a"),
        ({"t": A, "a": A}, "easy", "t"),
        ({"t": A}, "hard", None),
    ],
)
def test_tiers_are_anchored_on_the_target(contents, tier, label_from):
    votes = [Vote(parser=name, family=name, content=said) for name, said in contents.items()]
    found = conclude("text", "text", (0, 0, 1, 1), votes, "t", THRESHOLDS)
    assert (found.tier, found.label_from) == (tier, label_from)
    assert found.label == (contents[label_from] if label_from else None)
    assert (found.reason is None) == (tier != "hard")


def test_engines_of_one_family_have_one_vote():
    """Two parsers that share a model agree, which proves nothing."""
    pages = [
        parsed("t", text(A, 0)),
        parsed("a", text(B, 0), family="shared"),
        parsed("b", text(B, 0), family="shared"),
    ]
    assert consensus(*pages)[0].tier == "hard"
    assert [page.parser for page in one_of_each_family(pages, "t")] == ["t", "a"]
    twins = [parsed("t", text(A, 0), family="shared"), parsed("a", text(A, 0), family="shared")]
    assert consensus(*twins)[0].tier == "hard"


def test_failures_and_empty_outputs_are_no_votes():
    """Two that find nothing do not agree; a failed target leaves medium at best."""
    assert consensus(parsed("t"), parsed("a"), parsed("b")) == []
    pages = parsed("a", text(A, 0)), parsed("b", text(A, 0))
    assert consensus(parsed("t", failure="time limit of 60 s"), *pages)[0].tier == "medium"
    failed = parsed("a", text(A, 0), failure="worker died")
    assert consensus(parsed("t", text(A, 0)), failed)[0].reason == "found by one parser alone"
    blank = parsed("a", text("  ", 0))
    assert consensus(parsed("t", text(A, 0)), blank)[0].tier == "hard"


def test_what_the_target_missed_comes_last():
    found = consensus(
        parsed("t", text(A, 200)),
        parsed("a", text(B, 0), text(A, 200)),
        parsed("b", text(B, 0), text(A, 200)),
    )
    assert [(c.label, c.tier) for c in found] == [(A, "easy"), (B, "medium")]


def test_a_table_the_target_took_for_text_is_anchored_on_the_others():
    html = table_html([[TableCell("name"), TableCell("12.5")], [TableCell("b"), TableCell("3")]])
    found = consensus(
        parsed("t", text("name 12.5 b 3", 0)),
        parsed("a", text(html, 0, kind="table")),
        parsed("b", text(html, 0, kind="table")),
    )
    assert [c.task for c in found] == ["text"]
    assert found[0].tier == "easy"


def test_layouts_are_judged_by_boxes_and_categories():
    pages = [parsed(name, text(A, top), text(B, 300)) for name, top in (("t", 0), ("a", 2))]
    layout = page_consensus(pages, "t", THRESHOLDS, (600, 800))[0]
    assert (layout.task, layout.tier, layout.label_from) == ("layout", "easy", "t")
    assert layout.label == layout_text(pages[0].elements, (600, 800))
    assert layout.label.startswith("<|box_start|>083 000 917 050<|box_end|><|ref_start|>text")
    moved = parsed("a", text(A, 500), text(B, 700))
    assert page_consensus([pages[0], moved], "t", THRESHOLDS, (600, 800))[0].tier == "hard"


ELEMENTS = st.lists(
    st.builds(
        lambda kind, top, left, content: PageElement(
            kind=kind, box=(left, top, left + 90, top + 30), content=content
        ),
        st.sampled_from(["text", "title", "table", "formula", "figure"]),
        st.integers(0, 100),
        st.sampled_from([0, 60, 200]),
        st.sampled_from(["", A, B, f"{A}\n{B}", "<table><tr><td>a", r"x \\ y", "\\\\"]),
    ),
    max_size=6,
)


@given(ELEMENTS, ELEMENTS, ELEMENTS)
def test_any_pages_come_to_a_conclusion(first, second, third):
    """Every region of every parser is in a conclusion, labels come from a vote, tiers are right."""
    pages = [parsed(n, *e) for n, e in (("t", first), ("a", second), ("b", third))]
    found = page_consensus(pages, "t", THRESHOLDS, (600, 800))
    for conclusion in found:
        assert (conclusion.label is None) == (conclusion.tier == "hard")
        assert conclusion.label is None or conclusion.label in [v.content for v in conclusion.votes]
        assert conclusion.tier != "easy" or "t" in [v.parser for v in conclusion.votes]
        assert conclusion.tier == "hard" or conclusion.agreement >= conclusion.threshold
    shown = [e for e in first if e.kind != "figure" and e.content.strip()]
    assert sum(c.task != "layout" for c in found) >= len(shown)
