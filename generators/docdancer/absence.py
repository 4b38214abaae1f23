"""Unanswerable questions: a search over the whole document for what they ask."""

import re

from synthmill.generators.docdancer.places import element_place
from synthmill.generators.docdancer.records import Absence, EvidencePlace
from synthmill.generators.docdancer.tools import in_sections, searched_text
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import Heading

MAX_NEAR = 6  # ours: places recorded as counter-evidence
_WORD = re.compile(r"[^\W_]+")
_EMPTY = frozenset(
    [
        "a",
        "an",
        "and",
        "at",
        "by",
        "for",
        "from",
        "in",
        "is",
        "of",
        "on",
        "or",
        "per",
        "the",
        "to",
        "was",
        "with",
    ]
)


def search_absence(document: Document, subject: str, attribute: str) -> Absence:
    """Every element that mentions the subject, the attribute, or both.

    An element mentions a phrase where it has all its words; the element's own section headings
    count for it, since a value in a table is often named by them.
    """
    names, values = _words(subject), _words(attribute)
    headings: list[tuple[str, set[str]]] = []
    joint: list[EvidencePlace] = []
    near: list[EvidencePlace] = []
    searched = subject_hits = attribute_hits = 0
    for element, section in in_sections(document):
        text = _words(searched_text(document, element))
        if isinstance(element, Heading):
            headings = [one for one in headings if section.startswith(f"{one[0]}.")]
            headings.append((section, text))
        around = text.union(*(words for _, words in headings))
        searched += 1
        of_subject, of_value = bool(names) and names <= text, bool(values) and values <= text
        subject_hits += of_subject
        attribute_hits += of_value
        if names and values and names | values <= around and (of_subject or of_value):
            joint.append(element_place(document, element, section))
        elif of_subject or of_value:
            near.append(element_place(document, element, section))
    return Absence(
        subject=subject,
        attribute=attribute,
        searched=searched,
        subject_hits=subject_hits,
        attribute_hits=attribute_hits,
        joint=tuple(joint[:MAX_NEAR]),
        near=tuple(_varied(near)),
    )


def _varied(near: list[EvidencePlace]) -> list[EvidencePlace]:
    """A few places, tables first: they are where a reader would look."""
    return sorted(near, key=lambda place: (place.modality != "table", place.start))[:MAX_NEAR]


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if word not in _EMPTY}
