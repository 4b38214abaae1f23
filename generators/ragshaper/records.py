"""What the generator works with and leaves in `detail`: typed, and the same in both places."""

from typing import Literal

from synthmill.generators.ragshaper.taxonomy import TAXONOMY, Kind, Level
from synthmill.generators.retrieval.calibration import Calibration
from synthmill.schemas.base import Record
from synthmill.schemas.lineage import SourceRef


class Distractor(Record):
    """A document written to mislead, with all that tells it from the truth.

    `question` is what the original `fact` answers with `true_answer`, and this document with
    `wrong_answer`; `marker` is the words in it by which a careful reader sees the difference.
    `support` names the passages on which the truth rests: its source, and for a shortcut also
    those of the steps that it skips.
    """

    id: str
    kind: Kind
    title: str
    text: str
    marker: str
    misleading_claim: str
    question: str
    true_answer: str
    wrong_answer: str
    fact: str
    source: str
    support: list[str]
    node: int

    @property
    def level(self) -> Level:
        """The level that its type tests."""
        return TAXONOMY[self.kind].level


class Check(Record):
    """One check and its outcome; `reason` is a short stable phrase where it failed."""

    name: str
    passed: bool
    reason: str | None = None
    detail: str | None = None


class CheckedDistractor(Record):
    """A distractor with its checks against one question."""

    distractor: Distractor
    level: Level
    checks: list[Check]


class Node(Record):
    """A node of the information tree: {action, intention, observation} (paper, section 3.1)."""

    id: int
    parent: int | None
    depth: int
    tool: str
    intention: str
    arguments: str
    passages: list[str] = []
    distractors: list[str] = []


class TreeRecord(Record):
    """A tree: its nodes, and which paths were kept, with the documents each gained."""

    seed: str
    nodes: list[Node]
    paths: list[list[int]] = []
    gains: list[int] = []


class HopRecord(Record):
    """One reasoning step of a question, its evidence found again in its source."""

    hop: int
    fact: str
    evidence: str
    output: str
    passage: str | None = None
    source: SourceRef | None = None


class NegativeRecord(Record):
    """What may mislead, as the question's author says it (the paper's output fields)."""

    dimension: str
    misleading_claim: str
    disambiguation: str
    distraction_text: str


class QuestionDetail(Record):
    """`detail` of `rlvr` rows, and of rejected questions."""

    corpus: str
    calibration: Calibration | None
    tree: TreeRecord
    path: list[int]
    hops: list[HopRecord]
    negatives: list[NegativeRecord]
    checks: list[Check]
    distractors: list[CheckedDistractor] = []


Case = Literal["first", "suppressed", "drawn", "not drawn"]


class Injection(Record):
    """One retrieval under eq. 8: which case applied, what was injected, and where it stood.

    `positions` count from 0 among the documents returned.
    """

    step: int
    query: str
    case: Case
    draw: float | None = None
    passages: list[str]
    injected: list[str]
    positions: list[int]


class Encounter(Record):
    """What became of a distractor that a trajectory met."""

    id: str
    kind: Kind
    step: int
    cited: bool
    followed: bool
    rejected: bool
    recovered: bool


Outcome = Literal["handled", "regular", "fallback", "direct", "misled", "wrong", "unfinished"]


class TrajectoryDetail(Record):
    """`detail` of `trajectory` and `preference` rows."""

    corpus: str
    question: str
    sample: int
    stop: str
    prediction: str
    f1: float
    outcome: Outcome
    primary_kind: Kind | None
    injections: list[Injection]
    encounters: list[Encounter]
    against: "TrajectoryDetail | None" = None


class DistractorDetail(Record):
    """`detail` of rejected distractors."""

    corpus: str
    question: str
    distractor: CheckedDistractor
