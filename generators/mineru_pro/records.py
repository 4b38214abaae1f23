"""What parsers find on a page, and what is concluded from several of them."""

from typing import Literal, TypeAlias

from synthmill.schemas.base import Record

Kind = Literal["title", "text", "table", "formula", "figure"]
SubTask = Literal["text", "table", "formula", "layout"]
Tier = Literal["easy", "medium", "hard"]
Box: TypeAlias = tuple[float, float, float, float]

SUB_TASKS: dict[str, SubTask] = {
    "title": "text",
    "text": "text",
    "table": "table",
    "formula": "formula",
}


class PageElement(Record):
    """An element in reading order: `box` in points from the page's top left corner.

    `content` is the text, the HTML of a table, the LaTeX of a formula, and empty for figures.
    """

    kind: Kind
    box: Box
    content: str = ""


class ParsedPage(Record):
    """What one parser found on a page, or why it failed; parsers of a `family` are not independent.

    `absent` means that the parser has nothing to say about such a page, which is no failure: a scan
    has no text layer.
    """

    parser: str
    family: str
    elements: tuple[PageElement, ...] = ()
    failure: str | None = None
    absent: bool = False


class Vote(Record):
    """What one parser says about a region of the page."""

    parser: str
    family: str
    content: str


class Similarity(Record):
    """How similar the contents of two parsers are, by the metric of the sub-task."""

    first: str
    second: str
    value: float


class Consensus(Record):
    """The conclusion about a region of the page, or about its layout.

    Easy: the target agrees with another family. Medium: two other families agree with each other
    and not with the target. Hard: neither, so there is no label; `reason` says why. `label_from`
    is the parser whose content is the label, `agreement` the similarity of the most similar pair
    that decided the tier (of the most similar pair at all where it is hard).
    """

    task: SubTask
    kind: Kind | Literal["layout"]
    box: Box
    tier: Tier
    label: str | None = None
    label_from: str | None = None
    agreement: float = 0.0
    threshold: float
    votes: tuple[Vote, ...]
    similarities: tuple[Similarity, ...] = ()
    reason: str | None = None


class RowDetail(Record):
    """The `detail` of a row: the page, its cluster, and the conclusion about one region of it.

    `order` is the place of the region on its page in reading order, 0 for the layout. `scale` is
    the number of pixels of the row's image for each point of the page, `crop` its box.
    `failures` are parsers that said nothing about the page, with the reason.
    """

    page: str
    number: int
    width: float
    height: float
    cluster: int
    order: int = 0
    scale: float
    crop: Box
    consensus: Consensus
    failures: dict[str, str] = {}
