"""Vectors of word counts by feature hashing: no model, no download, no meaning.

Texts that share words are near, synonyms are not. Each word adds (1 + ln count) with a sign to one
of `DIMENSIONS` places (Weinberger et al., Feature Hashing for Large Scale Multitask Learning,
ICML 2009); the vector is scaled to length 1.
"""

import hashlib
import math
import re
from collections import Counter
from functools import lru_cache

import numpy as np

from synthmill.models.completion import Vectors

DIMENSIONS = 512  # ours: enough that words of a passage seldom meet

_WORD = re.compile(r"\w+")


def lexical_vector(text: str) -> Vectors:
    """The vector of a text, shape (DIMENSIONS,); all zeros where it has no word."""
    vector = np.zeros(DIMENSIONS, np.float32)
    for word, count in Counter(_WORD.findall(text.casefold())).items():
        place, sign = _hashed(word)
        vector[place] += sign * (1 + math.log(count))
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm else vector


@lru_cache(maxsize=2**16)
def _hashed(word: str) -> tuple[int, int]:
    digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
    number = int.from_bytes(digest, "little")
    return (number >> 1) % DIMENSIONS, 1 if number & 1 else -1
