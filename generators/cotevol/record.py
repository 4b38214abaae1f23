"""The typed record that every row carries as `detail`: what was bred from what."""

from typing import Literal

from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.generators.cotevol.traces import Lineage, Trace
from synthmill.schemas.base import Record

Mode = Literal["ground truth judges", "ground truth in prompts", "self-evaluation"]


class TraceRecord(Record):
    """One trace of an evolution; its text is in the rows that teach it."""

    id: str
    lineage: Lineage
    answer: str | None
    right: bool | None
    fault: str | None
    length: int
    confidence: float | None
    cost: int

    @classmethod
    def of(cls, trace: Trace) -> "TraceRecord":
        """The record of a trace; an answer is cut at 200 characters."""
        return cls(
            id=trace.id,
            lineage=trace.lineage,
            answer=trace.answer[:200] if trace.answer is not None else None,
            right=trace.right,
            fault=trace.fault,
            length=trace.length,
            confidence=trace.confidence,
            cost=trace.cost,
        )


class Parting(Record):
    """Where chosen and rejected part: after `characters` in common, in step `step` (from 0)."""

    characters: int
    step: int


class EvolutionRecord(Record):
    """An evolution, and which of its traces this row shows.

    `tokens` are all that were generated, critics, authors and self-evaluations included.
    """

    strategy: str
    preset: str
    mode: Mode
    rounds: int
    stopped: str
    tokens: int
    initial: int
    initial_right: int
    row_traces: list[str]
    parting: Parting | None = None
    traces: list[TraceRecord]


def mode_of(settings: CotevolSettings, can_tell: bool) -> Mode:
    """How the ground truth took part."""
    if not can_tell:
        return "self-evaluation"
    return "ground truth in prompts" if settings.ground_truth_in_prompts else "ground truth judges"
