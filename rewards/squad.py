"""Short answers in free text: SQuAD's normalization, exact match and token F1.

Rajpurkar et al. 2016 (arXiv 1606.05250), section 6, as in SQuAD's evaluation script: lower case,
no punctuation, no articles, single spaces. RAGShaper's paper names F1 alone, without a
normalization; the one in its released code keeps articles and inner punctuation, so numbers made
with it cannot be compared with others.

This file works alone: standard library only. Copy it anywhere and use it as

* a verl custom reward function: ``custom_reward_function.path=squad.py``
  ``custom_reward_function.name=compute_score``
* a TRL or ms-swift reward function: `trl_reward` (columns `ground_truth` or `solution`)
"""

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

# Ours: longer phrases are looked for by their words alone, which keeps the search linear.
LONGEST_PHRASE = 500

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_FINAL = re.compile(r"<(FINAL_ANSWER|answer)>", re.IGNORECASE)


def normalize_squad(text: str) -> str:
    """A text as SQuAD compares it."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, truth: str) -> float:
    """1.0 where both texts are the same after normalization, else 0.0."""
    return float(normalize_squad(prediction) == normalize_squad(truth))


def token_f1(prediction: str, truth: str) -> float:
    """Harmonic mean of precision and recall over words, in [0, 1]; two empty answers agree."""
    said, true = normalize_squad(prediction).split(), normalize_squad(truth).split()
    if not said or not true:
        return float(said == true)
    shared = sum((Counter(said) & Counter(true)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(said), shared / len(true)
    return 2 * precision * recall / (precision + recall)


def mentions(text: str, phrase: str) -> bool:
    """Whether a text contains a phrase: the same words in a row, or the same signs as a word."""
    wanted = normalize_squad(phrase)
    if not wanted:
        return False
    if f" {wanted} " in f" {normalize_squad(text)} ":
        return True
    phrase = phrase.strip()
    if len(phrase) > LONGEST_PHRASE:
        return False
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None


def final_answer(response: str) -> str:
    """The text in the last pair of FINAL_ANSWER or answer tags, else all after the thinking."""
    response = response.rsplit("</think>", 1)[-1]
    openings = list(_FINAL.finditer(response))
    if not openings:
        return response.strip()
    return response[openings[-1].end() :].split("</", 1)[0].strip()


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> float:
    """The score of a response's final answer, 0..1; verl calls it.

    `data_source` is token_f1 or exact_match, also as ``<name>@<version>``. With `above` in
    `extra_info` the score is 1.0 above that bound and 0.0 up to it.

    Raises:
        ValueError: there is no such score.
    """
    name = data_source.partition("@")[0]
    if name not in SCORES:
        raise ValueError(f"no reward for data source {data_source!r}; known: {', '.join(SCORES)}")
    score = SCORES[name](final_answer(solution_str), ground_truth)
    above = (extra_info or {}).get("above")
    return score if above is None else float(score > float(above))


def trl_reward(completions: Sequence[Any], **columns: Any) -> list[float]:
    """The rewards of a batch; TRL and ms-swift call it with the dataset's columns.

    Completions are texts, or message lists whose last text counts. Used columns: `ground_truth` or
    `solution`, and where there are any `data_source` (else token_f1) and `extra_info`.
    """
    truths = columns.get("ground_truth") or columns["solution"]
    names = columns.get("data_source") or ["token_f1"] * len(completions)
    extras = columns.get("extra_info") or [None] * len(completions)
    rows = zip(names, completions, truths, extras, strict=True)
    return [compute_score(name, _text(c), truth, extra) for name, c, truth, extra in rows]


SCORES = {"token_f1": token_f1, "exact_match": exact_match}


def _text(completion: Any) -> str:
    if isinstance(completion, str):
        return completion
    return str(completion[-1].get("content") or "")
