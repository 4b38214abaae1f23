"""Thresholds of agreement fitted to labeled pages, so that labels are right as often as asked.

The paper sets no thresholds. For every sub-task the lowest threshold is taken at which, and above
which, labels given by agreement reach the precision that is asked for. The whole curve is kept,
with Wilson's interval of 95 %: with few labeled elements the precision is known badly, and the
interval says so.
"""

import math
from collections.abc import Mapping, Sequence

from synthmill.generators.mineru_pro.consistency import conclude, layout_text
from synthmill.generators.mineru_pro.matching import share_inside, similarity
from synthmill.generators.mineru_pro.records import SUB_TASKS, Consensus, PageElement, SubTask
from synthmill.rewards.documents import layout_similarity, parse_layout
from synthmill.schemas.base import Record

Z = 1.96  # of the normal distribution at 97.5 %
GRID = tuple(step / 100 for step in range(50, 101))  # ours: thresholds that are tried
# Ours: from this similarity to the truth on a label is right. A paragraph of 400 characters may
# have 4 wrong ones; a table may have one wrong digit in 25 cells. Boxes of layouts are never equal.
RIGHT: dict[SubTask, float] = {"text": 0.99, "table": 0.99, "formula": 0.99, "layout": 0.8}
UNREACHABLE = 1.0  # the threshold where no other reaches the precision: identical contents alone


class CurvePoint(Record):
    """At a threshold: the labels given, those that are right, and the interval of the share."""

    threshold: float
    labels: int
    right: int
    low: float
    high: float

    @property
    def precision(self) -> float:
        """The share of labels that are right; 1.0 if there are no labels."""
        return self.right / self.labels if self.labels else 1.0


class SubTaskCalibration(Record):
    """The fit of a sub-task to so many labeled regions; `reached` where the precision is met."""

    threshold: float
    reached: bool
    regions: int
    curve: list[CurvePoint]


class AgreementCalibration(Record):
    """Fitted thresholds by sub-task, and the precision that was asked for."""

    precision: float
    pages: int
    sub_tasks: dict[SubTask, SubTaskCalibration]

    def thresholds(self, defaults: Mapping[SubTask, float]) -> dict[SubTask, float]:
        """The fitted thresholds; the default of a sub-task without labeled regions."""
        return {**defaults, **{task: fit.threshold for task, fit in self.sub_tasks.items()}}


class JudgedRegion(Record):
    """A region with its votes, and which parsers' contents are right by the truth."""

    consensus: Consensus
    right: list[str]


def judged(
    consensus: Consensus, truth: Sequence[PageElement], size: tuple[float, float]
) -> JudgedRegion:
    """Compare every vote about a region with the labeled elements in it."""
    if consensus.task == "layout":
        expected = parse_layout(layout_text(truth, size))
        values = {
            vote.parser: layout_similarity(parse_layout(vote.content), expected)
            for vote in consensus.votes
        }
    else:
        inside = [
            element.content
            for element in truth
            if SUB_TASKS.get(element.kind) == consensus.task
            and share_inside(element.box, consensus.box) > 0.5
        ]
        joined = "\n".join(inside)
        values = {
            vote.parser: similarity(consensus.task, vote.content, joined) if inside else 0.0
            for vote in consensus.votes
        }
    least = RIGHT[consensus.task]
    right = [parser for parser, value in values.items() if value >= least]
    return JudgedRegion(consensus=consensus, right=right)


def fit(
    regions: Sequence[JudgedRegion], target: str, precision: float, pages: int
) -> AgreementCalibration:
    """The thresholds for a precision, from the judged regions of so many labeled pages."""
    tasks: dict[SubTask, list[JudgedRegion]] = {}
    for region in regions:
        tasks.setdefault(region.consensus.task, []).append(region)
    fits = {task: _fit(task, found, target, precision) for task, found in sorted(tasks.items())}
    return AgreementCalibration(precision=precision, pages=pages, sub_tasks=fits)


def wilson(right: int, labels: int) -> tuple[float, float]:
    """The interval of 95 % of a share (Wilson 1927); 0 to 1 where nothing was counted."""
    if not labels:
        return 0.0, 1.0
    share, square = right / labels, Z**2 / labels
    middle = (share + square / 2) / (1 + square)
    reach = Z * math.sqrt(share * (1 - share) / labels + square / (4 * labels)) / (1 + square)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _fit(
    task: SubTask, regions: Sequence[JudgedRegion], target: str, precision: float
) -> SubTaskCalibration:
    curve = [_point(task, regions, target, threshold) for threshold in GRID]
    threshold, reached = UNREACHABLE, False
    for point in reversed(curve):
        if point.precision < precision:
            break
        threshold, reached = point.threshold, reached or point.labels > 0
    return SubTaskCalibration(
        threshold=threshold, reached=reached, regions=len(regions), curve=curve
    )


def _point(
    task: SubTask, regions: Sequence[JudgedRegion], target: str, threshold: float
) -> CurvePoint:
    labels = right = 0
    for region in regions:
        given = region.consensus
        again = conclude(
            task, given.kind, given.box, given.votes, target, {task: threshold}, given.similarities
        )
        if again.label_from is not None:
            labels += 1
            right += again.label_from in region.right
    low, high = wilson(right, labels)
    return CurvePoint(threshold=threshold, labels=labels, right=right, low=low, high=high)
