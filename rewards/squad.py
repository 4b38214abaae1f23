"""Comparing answers: SQuAD's normaliser and token F1.

Rajpurkar et al. 2016 (arXiv 1606.05250), section 6, as in SQuAD's evaluation script: lower case,
no punctuation, no articles, single spaces. The paper names F1 alone, without its normaliser; the
one in its released code keeps articles and inner punctuation, so numbers made with it cannot be
compared with anybody's.
"""

import re
import string
from collections import Counter

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """A text as SQuAD compares it."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def token_f1(prediction: str, truth: str) -> float:
    """Harmonic mean of precision and recall over words, in [0, 1]; two empty answers agree."""
    said, true = normalised(prediction).split(), normalised(truth).split()
    if not said or not true:
        return float(said == true)
    shared = sum((Counter(said) & Counter(true)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(said), shared / len(true)
    return 2 * precision * recall / (precision + recall)


def mentions(text: str, phrase: str) -> bool:
    """Whether a phrase stands in a text: the same words in a row, or the same signs as a word."""
    wanted = normalised(phrase)
    if not wanted:
        return False
    if f" {wanted} " in f" {normalised(text)} ":
        return True
    return re.search(rf"(?<!\w){re.escape(phrase.strip())}(?!\w)", text, re.IGNORECASE) is not None
