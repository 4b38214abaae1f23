"""ROUGE-L between two texts, and the tokens that it counts."""

from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

from synthmill.filters.text import tokens


def rouge_l(left: str, right: str) -> float:
    """ROUGE-L F1 of two texts (Lin 2004, with beta = 1), in [0, 1]: 1 for equal ones, also empty.

    Tokens are words and single signs in lower case (ours; CoTEvol's paper names none). Lin's own
    tokens leave signs out, and then `3 + 4` and `3 * 4` are the same.
    """
    return rouge_l_tokens(tokens(left), tokens(right))


def rouge_l_tokens(left: Sequence[str], right: Sequence[str], at_least: float = 0.0) -> float:
    """ROUGE-L F1 of two token lists; 0 where it is below `at_least`, which is found faster.

    F1 of precision LCS/|left| and recall LCS/|right| is 2 LCS / (|left| + |right|).
    """
    total = len(left) + len(right)
    if not total:
        return 1.0
    if 2 * min(len(left), len(right)) < at_least * total:
        return 0.0
    cutoff = int(at_least * total / 2)
    return 2 * LCSseq.similarity(left, right, score_cutoff=cutoff or None) / total
