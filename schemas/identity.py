"""Hashes that name things by their content, and seeds that follow from names."""

import hashlib
import json
from typing import Any

from synthmill.schemas.messages import Message
from synthmill.schemas.row import Candidate

CONTENT_ID_LENGTH = 24  # hex digits: 96 bits, so a billion rows collide with odds below 1e-11


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256_text(text: str) -> str:
    """Hex SHA-256 of the UTF-8 bytes of `text` (lone surrogates kept, so that it never raises)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def content_id(candidate: Candidate) -> str:
    """The id of a candidate: a hash of its kind, messages, pair, answer and media hashes alone.

    Verdicts, costs and lineage do not count: the same training example has one id, however it
    was found.
    """
    content = {
        "kind": candidate.kind,
        "messages": [_turn(message) for message in candidate.messages],
        "chosen": [_turn(message) for message in candidate.chosen],
        "rejected": [_turn(message) for message in candidate.rejected],
        "answer": candidate.answer,
        "media": [m.sha256 for m in candidate.media],
    }
    return sha256_text(canonical_json(content))[:CONTENT_ID_LENGTH]


def _turn(message: Message) -> dict[str, Any]:
    """What a turn says; parts stay objects, so that no text has the id of parts."""
    said = message.model_dump(include={"role", "reasoning", "tool_calls", "name", "train"})
    content = message.content
    if isinstance(content, tuple):
        return {**said, "content": [part.model_dump(exclude_none=True) for part in content]}
    return {**said, "content": content}


def keyed_seed(*parts: object) -> int:
    """A 63-bit seed that depends on the parts alone (run seed, task key, purpose ...).

    Every random choice of Synthmill starts here, so that it never depends on position or on the
    order of arrival.
    """
    digest = hashlib.sha256(
        canonical_json([str(part) for part in parts]).encode("utf-8", "surrogatepass")
    )
    return int.from_bytes(digest.digest()[:8], "big") >> 1
