"""Choosing the next token of many sequences at once, each by its own settings."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def uniforms(tokens: Sequence[int], seed: int, count: int) -> Floats:
    """`count` numbers in [0, 1), keyed by the prompt's tokens and the seed and by nothing else.

    Number i decides token i, so that what else runs in a batch can never shift a sequence.
    """
    text = f"{seed}:{','.join(map(str, tokens))}".encode()
    key = int.from_bytes(blake2b(text, digest_size=16).digest(), "big")
    return np.random.Generator(np.random.Philox(key=key)).random(count)


def log_softmax(logits: Floats) -> Floats:
    """Natural log-probabilities over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def choose(
    logprobs: Floats, ranked: Integers, temperature: Floats, top_p: Floats, uniform: Floats
) -> Integers:
    """One token id a row, by inverting the cumulative distribution at `uniform`.

    `logprobs` (B, V); `ranked` (B, V) ids by falling probability; the others (B,).
    Temperature 0 takes the likeliest token.
    """
    greedy = temperature == 0
    heat = np.where(greedy, 1.0, temperature)[:, None]
    shares = np.exp(log_softmax(np.take_along_axis(logprobs, ranked, -1) / heat))
    # A token stays while the likelier ones have not reached top_p; the first always stays.
    shares[shares.cumsum(-1) - shares >= top_p[:, None]] = 0.0
    edges = shares.cumsum(-1)
    place = (edges <= uniform[:, None] * edges[:, -1:]).sum(-1)
    place[greedy] = 0
    return np.take_along_axis(ranked, place[:, None], -1)[:, 0]
