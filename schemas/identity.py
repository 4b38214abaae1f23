"""Content hashes, and random seeds derived from keys."""

import hashlib
import json
from typing import Any

from synthmill.schemas.messages import Message
from synthmill.schemas.row import Candidate

CONTENT_ID_LENGTH = 24  # hex digits: 96 bits, a billion rows collide with probability below 1e-11


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256_text(text: str) -> str:
    """Hex SHA-256 of the UTF-8 bytes of `text` (lone surrogates kept, so that it never raises)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def content_id(candidate: Candidate) -> str:
    """The id of a candidate: a hash of its kind, messages, pair, answer and media hashes alone.

    Verdicts, costs and lineage are left out: the same training example has the same id, however it
    was made.
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

    Every random choice starts from such a seed, so that it never depends on positions or on the
    order in which answers arrive.
    """
    digest = hashlib.sha256(
        canonical_json([str(part) for part in parts]).encode("utf-8", "surrogatepass")
    )
    return int.from_bytes(digest.digest()[:8], "big") >> 1
