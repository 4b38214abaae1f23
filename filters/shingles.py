"""The word shingles of a text, as hashes.

Shingling in Python is what near-duplicate search spends its time on. Measured for texts of 300
words (microseconds a text, `benchmarks/near_duplicates.py --shingles`): joining strings 74, a
regular expression and joining 123, a rolling hash over the bytes in numpy 98, this 37.
"""

import string
from zlib import crc32

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

# Signs that mean something in formulas and code stay part of a word; other ASCII signs separate.
_WORD_SIGNS = "_+-*/=<>^%\\$&|~#@"
_SEPARATORS = "".join(set(string.punctuation) - set(_WORD_SIGNS)) + string.whitespace
_TABLE = bytes.maketrans(_SEPARATORS.encode(), b" " * len(_SEPARATORS))
# Odd 64-bit constants (xxHash primes and the golden ratio); their only job is to be far apart.
_PLACES = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], np.uint64
)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


def shingles(text: str, size: int, salt: str = "") -> Hashes:
    """Hashes of all runs of `size` words; of a shorter text one hash of all its words.

    Letter case and most punctuation do not count; operators do. Texts hashed with another `salt`
    share nothing with these.
    """
    words = text.lower().encode("utf-8", "surrogatepass").translate(_TABLE).split()
    if not words:
        return np.empty(0, np.uint64)
    codes = np.fromiter(map(crc32, words), np.uint64, len(words))
    size = min(size, len(codes))
    count = len(codes) - size + 1
    hashes = np.full(count, crc32(salt.encode()), np.uint64)
    for place in range(size):
        hashes *= _PLACES[place % len(_PLACES)]
        hashes += codes[place : place + count]
        hashes ^= hashes >> _HALF
    hashes *= _MIX
    return hashes ^ (hashes >> _HALF)
