"""The question templates, and the typed records of the generator, also those stored in rows."""

from typing import Literal

from synthmill.schemas.base import Record
from synthmill.schemas.evidence import Evidence

Template = Literal[
    "layout", "text_chart", "table_chart", "footnote", "comprehension", "unanswerable", "counting"
]
AnswerFormat = Literal["Int", "Float", "Str", "List", "None"]
Modality = Literal["text", "table", "figure", "footnote", "layout"]

# The paper's seven templates of questions (its synthesis prompt), in our words.
TEMPLATES: dict[Template, str] = {
    "layout": "Cross-page conditional layout: where something stands (the last row, what is beside "
    "a picture) leads to an entity, and another page tells more about that entity.",
    "text_chart": "Text with chart: what a figure or its caption shows is checked against, or "
    "completed by, what running text on another page claims.",
    "table_chart": "Table with chart: a figure or its caption leads to a row of a table on another "
    "page, or a table and a chart are compared.",
    "footnote": "Footnote-bound: a footnote decides which value of a table, or which value of a "
    "table on another page, is meant.",
    "comprehension": "Comprehension of tables or charts: values are found, compared and computed "
    "over at least two of them.",
    "unanswerable": "Unanswerable: it sounds like the others and follows from what the document "
    "is about, but the document does not give the value. The answer is exactly 'Not answerable'.",
    "counting": "Counting: how many local entities (rows, parties, terms) meet conditions, where "
    "the document lists all of them. Never count pages, words, figures or tables.",
}


class EvidencePlace(Record):
    """Where a part of the evidence stands: page and section, and offsets into the document's text.

    `value` is what it contributes to the answer. A table's cell has the number of its table, the
    label of its row and the header of its column; a figure has its number.
    """

    modality: Modality
    page: int | None
    section: str
    start: int
    end: int
    quote: str
    value: str = ""
    table: int | None = None
    row: str = ""
    column: str = ""
    figure: int | None = None


class EvidenceSheet(Record):
    """What a reader of one evidence page sees: the page's elements as XML.

    `page` is None in formats without pages; then it is a section.
    """

    page: int | None
    section: str
    xml: str


class Absence(Record):
    """Why a question is taken to have no answer: what was searched in the whole document.

    `subject` and `attribute` are what the question needs together. `subject_hits` and
    `attribute_hits` count the elements that mention one of them; `joint` are those that mention
    both, and `near` are elements that come closest: the counter-evidence.
    """

    subject: str
    attribute: str
    searched: int
    subject_hits: int
    attribute_hits: int
    joint: tuple[EvidencePlace, ...] = ()
    near: tuple[EvidencePlace, ...] = ()


class EvidenceBox(Record):
    """The rectangle of an element that holds evidence: its page, and points from the top left."""

    page: int
    box: tuple[float, float, float, float]


class ExplorationStep(Record):
    """One step of the exploration: intent, action, observation (paper, section 3.2)."""

    step: int
    intent: str
    tool: str
    arguments: str
    observation: str
    failed: bool = False


class DocumentReference(Record):
    """The document of a row; `sha256` is the hash of its text, which offsets count in.

    `file_sha256` is that of the file itself, where pictures can be made from it.
    """

    uri: str
    title: str
    sha256: str
    pages: int
    file_sha256: str | None = None


class DocumentQuestionDetail(Record):
    """`detail` of `rlvr` rows, accepted or rejected.

    `evidence` is read by filters; it is None for unanswerable questions, which have an `absence`.
    """

    document: DocumentReference
    question: str
    template: Template
    answer_format: AnswerFormat
    reasoning: tuple[str, ...] = ()
    places: tuple[EvidencePlace, ...] = ()
    sheets: tuple[EvidenceSheet, ...] = ()
    boxes: tuple[EvidenceBox, ...] = ()
    unplaced: tuple[str, ...] = ()
    evidence: Evidence | None = None
    absence: Absence | None = None
    exploration: tuple[ExplorationStep, ...] = ()

    @property
    def pages(self) -> list[int | str]:
        """The pages of the evidence in order; sections in formats without pages."""
        found = {(p.page or 0, p.section if p.page is None else "") for p in self.places}
        return [page or section for page, section in sorted(found)]

    @property
    def modalities(self) -> list[Modality]:
        """The kinds of evidence, each once."""
        return list(dict.fromkeys(place.modality for place in self.places))


class RolloutDetail(Record):
    """`detail` of `trajectory` and `preference` rows; `against` is the rejected side of a pair.

    `read_pages` are the pages that observations showed (section ids, without pages). `grounded`:
    the answer is right, and every page of the evidence is among them.
    """

    document: DocumentReference
    template: Template
    question: str
    answer_format: AnswerFormat
    sample: int
    stop: str
    prediction: str
    score: float
    right: bool
    grounded: bool
    read_pages: tuple[int | str, ...]
    against: "RolloutDetail | None" = None
