"""Fitting a server's tokens to the text they make up."""

from codecs import getincrementaldecoder
from collections.abc import Sequence

from synthmill.models.completion import Token


def align_tokens(
    tokens: Sequence[Token], raw: Sequence[Sequence[int] | None], text: str
) -> tuple[Token, ...]:
    """The tokens that make up `text`, their texts joining to it exactly.

    Servers also report tokens that are not in the text (an end mark, a stop string, thinking) and
    tokens that hold a part of a character; `raw` has the bytes of each token where the server
    gives them. Tokens that do not fit come back as they are.
    """
    spelled = _spelled(tokens, raw)
    whole = "".join(spelled)
    # The text comes last: what stands before it is thinking.
    start = 0 if whole.startswith(text) else whole.rfind(text)
    if start < 0:
        return tuple(tokens)
    kept, position, end = [], 0, start + len(text)
    for token, piece in zip(tokens, spelled, strict=True):
        inside = piece[max(0, start - position) : max(0, end - position)]
        begins, position = position, position + len(piece)
        # An empty piece is the first part of a character that a later token completes.
        if inside or (not piece and start <= begins < end):
            kept.append(token if token.token == inside else _respelled(token, inside))
    return tuple(kept)


def _spelled(tokens: Sequence[Token], raw: Sequence[Sequence[int] | None]) -> list[str]:
    if not all(raw):
        return [token.token for token in tokens]
    decoder = getincrementaldecoder("utf-8")("replace")
    return [decoder.decode(bytes(piece or ())) for piece in raw]


def _respelled(token: Token, piece: str) -> Token:
    return token.model_copy(update={"token": piece})
