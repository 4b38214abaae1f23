"""Answers about documents: the rule-based score of MMLongBench-Doc.

Ma et al. 2024 (arXiv 2407.01523), as in the benchmark's `eval_score.py`, which DocDancer uses too.
The format of the true answer decides how the stated one is compared:

* Int: the same integer; decimals of the stated one are dropped.
* Float: the true value, its hundredth or its hundredfold, within 1 % or the same after rounding.
* Str and None: the same text where the truth is an address, a date, a time, a number, a page or a
  file of code; else the similarity by edit distance (ANLS), 0 up to one half.
* List: as many items; sorted, then the least similarity of a pair, or, where the first true item is
  a number or must be exact, the same items.

The original evaluates lists with `eval`; here they are read as literals only. Where the original
raises (a list that is no Python literal, a true Float that is no number), the score is 0 here. It
also gives 1 to a true Int that is empty, for any stated one; here that is 0. In the benchmark a
language model first cuts the answer out of the response; here `final_answer` does.

This file works alone: standard library only. Copy it anywhere and use it as

* a verl custom reward function: ``custom_reward_function.path=mmlongbench.py``
  ``custom_reward_function.name=compute_score``
* a TRL or ms-swift reward function: `trl_reward` (columns `ground_truth` or `solution`)
"""

import ast
import re
from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any, NamedTuple

NAME = "mmlongbench"
FORMATS = ("Int", "Float", "Str", "List", "None")
UNANSWERABLE = (
    "Not answerable"  # the benchmark's answer to a question that the document leaves open
)
THRESHOLD = 0.5  # of ANLS (the benchmark's)
RELATIVE = 0.01  # tolerance of Float (the benchmark's)
MAX_LIST_CHARS = 10_000  # ours: longer text is no list, so that its parsing is bounded

_FINAL = re.compile(r"<(FINAL_ANSWER|answer)>", re.IGNORECASE)
_PARENTHESES = re.compile(r"\s*\([^)]*\)")
_QUOTES = re.compile(r"^['\"]|['\"]$")
_EXACT = re.compile(
    r"\b\d+(-\d+|\s\d+)?\b|\b\d{4}[-\s]\d{2}[-\s]\d{2}\b|\b\d{4}[-\s]\d{2}\b"
    r"|[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}"
)


class Totals(NamedTuple):
    """The benchmark's measures over samples, each in [0, 1]."""

    accuracy: float
    precision: float
    recall: float
    f1: float


def mmlongbench_score(predicted: str, truth: str, answer_format: str = "Str") -> float:
    """The score of a short answer, in [0, 1].

    Raises:
        ValueError: there is no such format.
    """
    if answer_format not in FORMATS:
        raise ValueError(f"no answer format {answer_format!r}; known: {', '.join(FORMATS)}")
    if answer_format == "Int":
        return float(_same_integer(predicted, truth))
    if answer_format == "Float":
        return float(_same_number(cleaned(predicted), cleaned(truth)))
    if answer_format == "List":
        return _list_score(_items(predicted), _items(truth))
    return _text_score(cleaned(predicted), cleaned(truth))


def totals(samples: Sequence[tuple[float, str, str]]) -> Totals:
    """Accuracy, precision, recall and F1 over (score, predicted, truth), as the benchmark's.

    Accuracy is the mean score. The scores of answerable questions are summed: over the answerable
    questions for recall, over the answers that are not "Not answerable" for precision.
    """
    if not samples:
        return Totals(0.0, 0.0, 0.0, 0.0)
    answerable = [score for score, _, truth in samples if truth != UNANSWERABLE]
    answered = sum(predicted != UNANSWERABLE for _, predicted, _ in samples)
    precision = sum(answerable) / answered if answered else 0.0
    recall = sum(answerable) / len(answerable) if answerable else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return Totals(sum(score for score, *_ in samples) / len(samples), precision, recall, f1)


def cleaned(text: str) -> str:
    """Lower case without parentheses, one pair of outer quotes, leading $ and trailing %."""
    text = _PARENTHESES.sub("", text.lower().strip()).strip()
    text = _QUOTES.sub("", text).strip()
    return text.lstrip("$").strip().rstrip("%").strip()


def anls(predicted: str, truth: str) -> float:
    """1 - edit distance / length of the longer text; 0 where that is at most `THRESHOLD`."""
    longer, shorter = max(len(predicted), len(truth)), min(len(predicted), len(truth))
    if longer == 0:
        return 1.0
    if shorter <= THRESHOLD * longer:  # the distance is at least the difference in length
        return 0.0
    similarity = 1.0 - _edit_distance(predicted, truth) / longer
    return similarity if similarity > THRESHOLD else 0.0


def must_be_exact(text: str) -> bool:
    """Whether a cleaned answer counts only as it is: an address, a date, a time, a number, ..."""
    return (
        "https://" in text
        or text.endswith((".py", "ipynb"))
        or text.startswith("page")
        or "a.m." in text
        or "p.m." in text
        or _EXACT.fullmatch(text) is not None
    )


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

    `extra_info` holds the truth's `answer_format` (Str without one). With `above` in it the score
    is 1.0 above that bound and 0.0 up to it.

    Raises:
        ValueError: `data_source` is not mmlongbench or ``mmlongbench@<version>``, or there is no
            such format.
    """
    if data_source.partition("@")[0] != NAME:
        raise ValueError(f"no reward for data source {data_source!r}; known: {NAME}")
    extra = extra_info or {}
    answer_format = str(extra.get("answer_format") or "Str")
    score = mmlongbench_score(final_answer(solution_str), ground_truth, answer_format)
    above = extra.get("above")
    return score if above is None else float(score > float(above))


def trl_reward(completions: Sequence[Any], **columns: Any) -> list[float]:
    """The rewards of a batch; TRL and ms-swift call it with the dataset's columns.

    Completions are texts, or message lists whose last text counts. Used columns: `ground_truth` or
    `solution`, and where there are any `data_source` and `extra_info`.
    """
    truths = columns.get("ground_truth") or columns["solution"]
    names = columns.get("data_source") or [NAME] * len(completions)
    extras = columns.get("extra_info") or [None] * len(completions)
    rows = zip(names, completions, truths, extras, strict=True)
    return [compute_score(name, _text(c), truth, extra) for name, c, truth, extra in rows]


def _same_integer(predicted: str, truth: str) -> bool:
    try:
        return int(truth) == int(float(predicted))
    except (ValueError, OverflowError):
        return False


def _same_number(predicted: str, truth: str) -> bool:
    try:
        said, true = float(predicted), float(truth)
    except ValueError:
        return False
    return any(_close(said, value) for value in (true / 100, true, true * 100))


def _close(said: float, true: float) -> bool:
    if isclose(true, said, rel_tol=RELATIVE):
        return True
    places = max(min(_decimals(said), _decimals(true)), 2)
    return round(said, places) == round(true, places)


def _decimals(value: float) -> int:
    """Signs after the point of Python's notation; 3 without one (the benchmark's)."""
    _, point, behind = str(value).partition(".")
    return len(behind) if point else 3


def _text_score(predicted: str, truth: str) -> float:
    return float(predicted == truth) if must_be_exact(truth) else anls(predicted, truth)


def _list_score(predicted: Sequence[str] | None, truth: Sequence[str] | None) -> float:
    if not truth or predicted is None or len(predicted) != len(truth):
        return 0.0
    said, true = sorted(map(cleaned, predicted)), sorted(map(cleaned, truth))
    if _is_number(true[0]) or must_be_exact(true[0]):
        return float("-".join(said) == "-".join(true))
    return min(anls(one, other) for one, other in zip(said, true, strict=True))


def _items(text: str) -> list[str] | None:
    """The items of a list; a text that is none is the only item. None where it cannot be read."""
    if not text.startswith("["):
        return [text]
    if len(text) > MAX_LIST_CHARS:
        return None
    try:
        read = ast.literal_eval(text)
        return [str(item) for item in read] if isinstance(read, list) else [str(read)]
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _edit_distance(one: str, other: str) -> int:
    """Levenshtein's distance, a row of its table at a time."""
    row = list(range(len(one) + 1))
    for done, sign in enumerate(other, 1):
        above, row = row, [done]
        for at, own in enumerate(one):
            change = above[at] + (own != sign)
            row.append(min(change, above[at + 1] + 1, row[-1] + 1))
    return row[-1]


def _text(completion: Any) -> str:
    if isinstance(completion, str):
        return completion
    return str(completion[-1].get("content") or "")
