"""The word shingles of a text.

Shingling in Python is what near-duplicate search spends its time on. Measured in microseconds of
processor time for a text of 300 words (`benchmarks/near_duplicates.py --shingles`): joining slices
of words 50, hashing words and combining the hashes in numpy 35, this 31.
"""

import string

# Signs that mean something in formulas and code stay part of a word; other ASCII signs separate.
_WORD_SIGNS = "_+-*/=<>^%\\$&|~#@"
_SEPARATORS = "".join(set(string.punctuation) - set(_WORD_SIGNS)) + string.whitespace
_TABLE = bytes.maketrans(_SEPARATORS.encode(), b" " * len(_SEPARATORS))


def shingles(text: str, size: int) -> list[bytes]:
    """All runs of `size` words, in order; of a shorter text one run of all its words.

    Letter case and most punctuation do not count; operators do.
    """
    words = text.lower().encode("utf-8", "surrogatepass").translate(_TABLE).split()
    if len(words) <= size:
        return [b" ".join(words)] if words else []
    # Done in C from end to end: a comprehension over slices takes half as long again.
    return list(map(b" ".join, zip(*(words[start:] for start in range(size)), strict=False)))
