"""Cross-model consistency verification (CMCV, arXiv 2604.04771, section 3.2): tiers and labels.

The tiers are the paper's, anchored on the target, the parser that is to be improved. What the paper
leaves open is decided here:

- The label is the medoid of the agreeing group: the content that is most similar to the others.
- Of several parsers of one family the first one alone has a vote.
- A parser that failed, or found nothing in a region, has no vote there; two parsers that both find
  nothing do not agree. Regions that the target did not find can be medium, never easy.
- The layout of a page is judged as an element of its own, by boxes and categories.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

from synthmill.generators.mineru_pro.matching import align, similarity
from synthmill.generators.mineru_pro.records import (
    SUB_TASKS,
    Box,
    Consensus,
    Kind,
    PageElement,
    ParsedPage,
    Similarity,
    SubTask,
    Tier,
    Vote,
)
from synthmill.rewards.documents import Region, layout_similarity, parse_layout

# Values of another implementation of the method; `calibration` fits them to labeled pages.
THRESHOLDS: dict[SubTask, float] = {"text": 0.92, "table": 0.95, "formula": 0.95, "layout": 0.85}
GRID = 1000  # boxes of layouts are on a grid of 0 to 999
# Ours: more elements than on any real page; those beyond are left out.
MAX_ELEMENTS = 300
MAX_CONTENT = 20_000  # ours: characters of an element that take part


def page_consensus(
    pages: Sequence[ParsedPage],
    target: str,
    thresholds: Mapping[SubTask, float],
    size: tuple[float, float],
) -> list[Consensus]:
    """The conclusions about the regions of a page in the target's reading order, its layout first.

    Regions that the target did not find come last. `size` is the page's in points.
    """
    found = one_of_each_family(pages, target)
    if not found:
        return []
    layouts = [
        Vote(parser=page.parser, family=page.family, content=layout_text(page.elements, size))
        for page in found
    ]
    whole = (0.0, 0.0, *size)
    conclusions = [conclude("layout", "layout", whole, layouts, target, thresholds)]
    left = {page.parser: list(page.elements) for page in found}
    for page in found:  # the target first: what it missed is anchored on the others
        fixed = [element for element in left[page.parser] if element.kind in SUB_TASKS]
        votes = [[Vote(**_voter(page), content=element.content)] for element in fixed]
        for other in found:
            if other is not page:
                alignment = align(fixed, left[other.parser])
                for place, content in enumerate(alignment.contents):
                    if content:
                        votes[place].append(Vote(**_voter(other), content=content))
                left[other.parser] = [left[other.parser][k] for k in alignment.unmatched]
        left[page.parser] = []
        for element, cast in zip(fixed, votes, strict=True):
            task = SUB_TASKS[element.kind]
            conclusions.append(conclude(task, element.kind, element.box, cast, target, thresholds))
    return conclusions


def one_of_each_family(pages: Sequence[ParsedPage], target: str) -> list[ParsedPage]:
    """The parsers that found something, one of each family, the target first."""
    chosen: dict[str, ParsedPage] = {}
    for page in sorted(pages, key=lambda page: page.parser != target):
        elements = tuple(
            element.model_copy(update={"content": element.content[:MAX_CONTENT]})
            for element in page.elements[:MAX_ELEMENTS]
            if element.content.strip() or element.kind == "figure"
        )
        if elements and page.failure is None:
            chosen.setdefault(page.family, page.model_copy(update={"elements": elements}))
    return list(chosen.values())


def conclude(
    task: SubTask,
    kind: Kind | Literal["layout"],
    box: Box,
    votes: Sequence[Vote],
    target: str,
    thresholds: Mapping[SubTask, float],
    similarities: Sequence[Similarity] | None = None,
) -> Consensus:
    """The tier and the label of what parsers of different families say about one region.

    `similarities` of all pairs of votes are computed unless they are given.
    """
    threshold = thresholds[task]
    pairs = similarities
    if pairs is None:
        pairs = [
            Similarity(first=a.parser, second=b.parser, value=_compared(task, a.content, b.content))
            for a, b in combinations(votes, 2)
        ]
    agreeing = {frozenset((p.first, p.second)): p.value for p in pairs if p.value >= threshold}
    with_target = [v for v in votes if frozenset((v.parser, target)) in agreeing]
    tier: Tier
    if with_target:
        tier = "easy"
        group = [v for v in votes if v.parser == target] + with_target
    elif agreeing:
        tier = "medium"
        first = max(agreeing, key=lambda pair: (agreeing[pair], sorted(pair)))
        group = [v for v in votes if v.parser in first]
        # Others join where they agree with both: agreement is not transitive.
        group += [
            v
            for v in votes
            if v.parser not in first and all(frozenset((v.parser, p)) in agreeing for p in first)
        ]
    else:
        tier, group = "hard", []
    label = medoid(group, pairs)
    members = {vote.parser for vote in group}
    decided = [p.value for p in pairs if not members or {p.first, p.second} <= members]
    return Consensus(
        task=task,
        kind=kind,
        box=box,
        tier=tier,
        label=label.content if label else None,
        label_from=label.parser if label else None,
        agreement=max(decided, default=0.0),
        threshold=threshold,
        votes=tuple(votes),
        similarities=tuple(pairs),
        reason=_why_hard(votes, target) if tier == "hard" else None,
    )


def medoid(group: Sequence[Vote], pairs: Sequence[Similarity]) -> Vote | None:
    """The vote with the largest sum of similarities to the others of a group; of equals the first.

    Between two there is no medoid: the first is taken, which is the target where it takes part.
    """
    members = {vote.parser for vote in group}
    sums = {
        vote.parser: math.fsum(
            pair.value
            for pair in pairs
            if vote.parser in (pair.first, pair.second) and {pair.first, pair.second} <= members
        )
        for vote in group
    }
    return max(group, key=lambda vote: sums[vote.parser], default=None)


def layout_text(elements: Sequence[PageElement], size: tuple[float, float]) -> str:
    """A layout in MinerU2.5's tokens: one line for each region in reading order."""
    lines = []
    for element in elements:
        x0, y0, x1, y1 = (
            min(max((math.floor, math.ceil)[axis > 1](GRID * side / size[axis % 2]), 0), GRID - 1)
            for axis, side in enumerate(element.box)
        )
        category = {"formula": "equation", "figure": "image"}.get(element.kind, element.kind)
        lines.append(
            f"<|box_start|>{x0:03d} {y0:03d} {x1:03d} {y1:03d}<|box_end|>"
            f"<|ref_start|>{category}<|ref_end|><|rotate_up|>"
        )
    return "\n".join(lines)


def layout_regions(text: str, size: tuple[float, float]) -> list[Region]:
    """The regions of a layout in points."""
    width, height = size[0] / GRID, size[1] / GRID
    return [
        Region(r.category, r.x0 * width, r.y0 * height, r.x1 * width, r.y1 * height)
        for r in parse_layout(text)
    ]


def _compared(task: SubTask, first: str, second: str) -> float:
    if task == "layout":
        return layout_similarity(parse_layout(first), parse_layout(second))
    return similarity(task, first, second)


def _voter(page: ParsedPage) -> dict[str, str]:
    return {"parser": page.parser, "family": page.family}


def _why_hard(votes: Sequence[Vote], target: str) -> str:
    if len(votes) < 2:
        return "found by one parser alone"
    if all(vote.parser != target for vote in votes):
        return "not found by the target, and the others disagree"
    return "all parsers disagree"
