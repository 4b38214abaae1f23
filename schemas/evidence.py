"""What supports an answer: quotes at known places, and the passages that were read.

A generator that makes questions from documents keeps an `Evidence` under the key `evidence` of its
detail. Filters read it from there, so the same filters serve every such generator.
"""

import json
from typing import Any

from pydantic import ValidationError

from synthmill.schemas.base import Record
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.row import Candidate

KEY = "evidence"


class EvidencePassage(Record):
    """A part of a document as a reader is shown it, from character `start` of the document on."""

    uri: str
    title: str = ""
    start: int = 0
    text: str


class EvidenceQuote(Record):
    """A sentence that supports the answer.

    `source` says where it was taken from, with offsets into the text of its document. `output` is
    the value that it contributes on the way to the answer (of one hop in a chain), if any.
    """

    text: str
    source: SourceRef | None = None
    output: str = ""


class Evidence(Record):
    """A question, its answer, and what shows that it is the answer.

    `passages` hold the quotes; `further_passages` were found around them (by searching with the
    question, say) and may hold a second answer. `aliases` are other spellings of the answer.
    """

    question: str
    answer: str
    aliases: tuple[str, ...] = ()
    quotes: tuple[EvidenceQuote, ...] = ()
    passages: tuple[EvidencePassage, ...] = ()
    further_passages: tuple[EvidencePassage, ...] = ()


def evidence_of(candidate: Candidate) -> Evidence | None:
    """The evidence in a candidate's detail; None where it has none.

    Raises:
        ValueError: there is some, but not of this form.
    """
    if f'"{KEY}"' not in candidate.detail:
        return None
    detail: Any = json.loads(candidate.detail)
    found = detail.get(KEY) if isinstance(detail, dict) else None
    if found is None:
        return None
    try:
        return Evidence.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"evidence cannot be read: {where}: {first['msg']}") from error
