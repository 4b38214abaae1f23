"""The distractor taxonomy, and the typed records of the generator, also those stored in rows."""

from typing import Literal, NamedTuple

from pydantic import Field

from synthmill.generators.retrieval.calibration import Calibration
from synthmill.schemas.base import Record
from synthmill.schemas.evidence import Evidence
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.verdict import Verdict

DistractorType = Literal[
    "doppelganger", "false_shortcut", "fragmented_puzzle", "subjective_fallacy"
]
DistractorLevel = Literal["perception", "cognition"]


class TypeDefinition(NamedTuple):
    """A distractor type: its level, the guideline for writing it, the skill that it trains."""

    level: DistractorLevel
    guideline: str
    skill: str


# Definitions, guidelines and skills: the paper's table of distractor types, in our words.
TAXONOMY: dict[DistractorType, TypeDefinition] = {
    "doppelganger": TypeDefinition(
        "perception",
        "Write about the same thing in an adjacent edition, version or year: change the value, "
        "keep the rest, and state the other edition, version or year explicitly.",
        "precise checking of metadata",
    ),
    "false_shortcut": TypeDefinition(
        "cognition",
        "The truth goes from A over B to C. Write that A leads to a wrong C directly, skip B, and "
        "give a vague justification in hedged wording.",
        "persistence: refuse the shortcut and look for the step between",
    ),
    "fragmented_puzzle": TypeDefinition(
        "cognition",
        "Write documents that each hold one part only (such as half a year), look complete by "
        "themselves, and name the scope that they cover.",
        "noticing that a part is not the whole",
    ),
    "subjective_fallacy": TypeDefinition(
        "cognition",
        "Write a review or memory in the first person whose central claim is plausible and wrong, "
        "with its subjective voice plain to see.",
        "telling fact from opinion",
    ),
}
DISTRACTOR_TYPES: tuple[DistractorType, ...] = tuple(TAXONOMY)


class Distractor(Record):
    """A document written to mislead, with everything that distinguishes it from the truth.

    The original `fact` answers `question` with `true_answer`; this document answers it with
    `wrong_answer`. `marker` is the wording by which a careful reader sees the difference.
    `support` lists the passages on which the truth rests, the fact's source first; for a false
    shortcut also those of the steps that it skips. `node` is the tree node that wrote it.
    """

    id: str
    type: DistractorType
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
    def level(self) -> DistractorLevel:
        """The level that the type belongs to."""
        return TAXONOMY[self.type].level

    @property
    def full_text(self) -> str:
        """Title and text."""
        return f"{self.title}\n{self.text}"


class CheckedDistractor(Record):
    """A distractor that is used in the rollouts of a question, with the verdicts that admitted it.

    `rank` is its best rank among the passages for a query of the question (from 1).
    """

    distractor: Distractor
    rank: int | None
    verdicts: list[Verdict]


class TreeNode(Record):
    """A node of the information tree: action, intention, observation (paper, section 3.1).

    `passages` and `distractors` hold ids; `arguments` is the query or the fact of the action.
    """

    id: int
    parent: int | None
    depth: int
    tool: str
    intention: str
    arguments: str
    passages: list[str] = []
    distractors: list[str] = []


class TreeRecord(Record):
    """A tree as rows store it: nodes, the selected paths, and the documents that each gained."""

    seed: str
    nodes: list[TreeNode]
    paths: list[list[int]] = []
    gains: list[int] = []


class HopRecord(Record):
    """One reasoning step of a question, with the passage and place of its evidence if found."""

    hop: int
    fact: str
    evidence: str
    output: str
    passage: str | None = None
    source: SourceRef | None = None


class NegativeAspect(Record):
    """One way to be misled, in the words of the question's author (paper's output fields)."""

    dimension: DistractorType
    misleading_claim: str = Field(max_length=1000)
    disambiguation: str = Field(max_length=1000)
    distraction_text: str = Field(max_length=6000)


class QuestionDetail(Record):
    """`detail` of `rlvr` rows, accepted or rejected; `evidence` is read by filters."""

    corpus: str
    calibration: Calibration | None
    tree: TreeRecord
    path: list[int]
    hops: list[HopRecord]
    negatives: list[NegativeAspect]
    evidence: Evidence
    distractors: list[CheckedDistractor] = []


InjectionCase = Literal["first", "suppressed", "drawn", "not drawn"]


class Injection(Record):
    """One retrieval under eq. 8: the case that applied, what was injected, and where.

    `positions` count from 0 among the documents returned. `draw` is the random number in [0, 1)
    that was compared with p_e.
    """

    step: int
    query: str
    case: InjectionCase
    draw: float | None = None
    passages: list[str]
    injected: list[str]
    positions: list[int]


class Encounter(Record):
    """How a trajectory dealt with a distractor that it met at turn `step` (from 1)."""

    id: str
    type: DistractorType
    step: int
    cited: bool
    followed: bool
    rejected: bool
    recovered: bool


RolloutOutcome = Literal[
    "handled", "regular", "fallback", "direct", "misled", "wrong", "unfinished"
]


class TrajectoryDetail(Record):
    """`detail` of `trajectory` and `preference` rows; `against` is the rejected side of a pair."""

    corpus: str
    question: str
    sample: int
    stop: str
    prediction: str
    f1: float
    outcome: RolloutOutcome
    primary_type: DistractorType | None
    injections: list[Injection]
    encounters: list[Encounter]
    against: "TrajectoryDetail | None" = None


class TruePassage(Record):
    """A passage on which the truth about a distractor rests."""

    title: str
    text: str

    @property
    def full_text(self) -> str:
        """Title and text."""
        return f"{self.title}\n{self.text}"


class DistractorDetail(Record):
    """`detail` of a distractor's row: the question it was written for, and the truth against it.

    `truth` starts with the source of its fact. `rank` is its best rank among the passages for a
    query of the question, None where the retriever does not find it.
    """

    corpus: str
    question: str
    answer: str
    distractor: Distractor
    truth: list[TruePassage]
    rank: int | None
