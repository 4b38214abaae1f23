"""Rewards of VideoSSR (arXiv 2511.06281, section 3), smooth and strict.

This file imports the standard library alone. Import it, or copy it, and use it as

* a verl custom reward function: ``custom_reward_function.path=videossr.py``
  ``custom_reward_function.name=compute_score``
* a TRL or ms-swift reward function: `trl_reward` (columns `data_source` and `ground_truth`, or
  `solution` for the latter)

An answer that the published rewards read earns what they give. Where they give nothing because of
its form, a thinking block, `<answer>` tags, a phrase around the answer and spaces in it are allowed
(ours): models are then taught the task and not the form. What is read must be the only answer of
its form in the text, so that a list of guesses earns nothing.

The best constant answer earns, with the default settings (`generators/videossr/chance.py` computes
it for others): grounding 0.306; counting easy 0.583, hard 0.548; jigsaw 0.352 for 6 clips and
0.344 for 8. An optional `shift` b turns a reward r into ``max(0, (r - b) / (1 - b))``: guessing
then earns little, the right answer still 1, and a malformed answer is never better than a
well-formed one (which plain subtraction would make it).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

# Ours: longer numbers are neither seconds nor counts, and would cost time.
MAX_DIGITS = 9
# Ours: the paper names a strict reward for grounding and does not define it.
STRICT_IOU = 0.7
# The first is what the released generator writes, which its own dispatcher does not know.
ALIASES = {"shuffled": "jigsaw"}

# Ours: a longer answer is no answer, and reading it would cost time.
MAX_ANSWER = 20_000

_NUMBER = rf"[0-9]{{1,{MAX_DIGITS}}}(?:\.[0-9]{{1,{MAX_DIGITS}}})?"
_SPAN = re.compile(rf"({_NUMBER})-({_NUMBER})")
# Neither begins nor ends inside of a longer number: 1-2-3 holds no span.
_SPAN_IN_TEXT = re.compile(
    rf"(?<![0-9.\-])({_NUMBER})\s{{0,3}}(?:s|sec|seconds)?\s{{0,3}}(?:-|\u2013|\u2014|to|and)"
    rf"\s{{0,3}}({_NUMBER})(?!\.?[0-9]|\s{{0,3}}-)"
)
_COUNTS_IN_TEXT = re.compile(
    r"(?<![0-9.])(?<![0-9],)(?<![0-9], )([0-9]{1,9})\s{0,3},\s{0,3}([0-9]{1,9})\s{0,3},"
    r"\s{0,3}([0-9]{1,9})(?!\.?[0-9]|\s{0,3},\s{0,3}[0-9])"
)
# Labels in a row, with or without something between them.
_LABELS_IN_TEXT = re.compile(
    r"(?<![0-9A-Za-z])[0-9A-Z](?:[\s,;>\-\u2192]{0,5}[0-9A-Z])*(?![0-9A-Za-z])"
)
_NO_LABEL = re.compile(r"[^0-9A-Z]+")


def grounding(answer: str, truth: str) -> float:
    """Temporal intersection over union of two ``start-end`` spans in seconds (section 3.2).

    The answer must hold one span with start <= end; else, and for a union of length zero, 0.
    """
    given, right = _span(answer), _span(truth)
    if given is None or right is None:
        return 0.0
    shared = min(given[1], right[1]) - max(given[0], right[0])
    union = max(given[1], right[1]) - min(given[0], right[0])
    return max(0.0, shared) / union if union > 0 else 0.0


def grounding_strict(answer: str, truth: str) -> float:
    """1 if the spans overlap by `STRICT_IOU` or more."""
    return float(grounding(answer, truth) >= STRICT_IOU)


def counting(answer: str, truth: str) -> float:
    """Mean over shapes of ``max(0, 1 - |given - right| / right)`` (equations 5 and 6).

    The answer must hold three integers, in the order circles, squares, triangles; else 0.
    """
    given, right = _counts(answer), _counts(truth)
    # The epsilon is the released code's: it decides the score of shapes that do not occur.
    return _mean(
        [max(0.0, 1 - abs(a - b) / (b + 1e-9)) for a, b in zip(given, right, strict=False)]
    )


def counting_strict(answer: str, truth: str) -> float:
    """Share of shapes whose count is exact (the score of VIUBench)."""
    return _mean([float(a == b) for a, b in zip(_counts(answer), _counts(truth), strict=False)])


def jigsaw(answer: str, truth: str) -> float:
    """``1 - E / Emax`` (equations 7 and 8), E the sum of distances of every clip from its place.

    The answer must hold one permutation of the same characters, else 0; Emax is floor(n^2 / 2).
    """
    truth = truth.strip()
    given = _permutation(answer, truth)
    if given is None:
        return 0.0
    worst = len(truth) ** 2 // 2
    error = sum(abs(given.index(label) - place) for place, label in enumerate(truth))
    return 1 - error / worst if worst else 1.0


def jigsaw_strict(answer: str, truth: str) -> float:
    """1 if every clip is in its place (the score of VIUBench)."""
    return float(_permutation(answer, truth.strip()) == truth.strip() != "")


SMOOTH = {"grounding": grounding, "counting": counting, "jigsaw": jigsaw}
STRICT = {
    "grounding": grounding_strict,
    "counting": counting_strict,
    "jigsaw": jigsaw_strict,
}


def shifted(reward: float, shift: float) -> float:
    """The reward over guessing: 0 at `shift` and below it, 1 at 1."""
    if shift >= 1:  # guessing cannot fail: nothing lies between
        return float(reward >= 1)
    return max(0.0, (reward - shift) / (1 - shift))


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> float:
    """The reward of one answer, 0..1; verl calls it.

    `data_source` is grounding, counting or jigsaw, also as ``videossr.<task>@<version>``.
    `extra_info` may hold `strict` (a bool) and `shift` (the chance level to shift by).

    Raises:
        ValueError: there is no such task.
    """
    name = data_source.removeprefix("videossr.").partition("@")[0]
    task = ALIASES.get(name, name)
    extra = extra_info or {}
    rewards = STRICT if extra.get("strict") else SMOOTH
    if task not in rewards:
        raise ValueError(f"no reward for data source {data_source!r}; known: {', '.join(rewards)}")
    return shifted(rewards[task](solution_str, ground_truth), float(extra.get("shift") or 0.0))


def trl_reward(completions: Sequence[Any], **columns: Any) -> list[float]:
    """The rewards of a batch; TRL and ms-swift call it with the dataset's columns.

    Completions are texts, or message lists whose last text counts. Used columns: `data_source`,
    `ground_truth` (or `solution`), and `extra_info` where there is one.
    """
    truths = columns.get("ground_truth") or columns["solution"]
    extras = columns.get("extra_info") or [None] * len(completions)
    rows = zip(columns["data_source"], completions, truths, extras, strict=True)
    return [compute_score(source, _text(c), truth, extra) for source, c, truth, extra in rows]


def _span(text: str) -> tuple[float, float] | None:
    whole = _SPAN.fullmatch(text.strip())
    found = [whole] if whole else _SPAN_IN_TEXT.finditer(_final(text))
    spans = {(float(match[1]), float(match[2])) for match in found}
    return next((span for span in spans if span[0] <= span[1]), None) if len(spans) == 1 else None


def _counts(text: str) -> tuple[int, ...]:
    """The three counts, or none where the text has no three or several."""
    final = _final(text)
    for part in (text, final):
        words = re.findall(r"[0-9]+", part) if len(part) <= MAX_ANSWER else []
        if len(words) == 3:
            return tuple(map(int, words)) if max(map(len, words)) <= MAX_DIGITS else ()
    triples = {match.groups() for match in _COUNTS_IN_TEXT.finditer(final)}
    return tuple(map(int, triples.pop())) if len(triples) == 1 else ()


def _permutation(text: str, truth: str) -> str | None:
    """The labels of `truth` in the order of the answer, or None."""
    if not truth or sorted(text.strip()) == sorted(truth):
        return text.strip() if truth else None
    found = {_NO_LABEL.sub("", match[0]) for match in _LABELS_IN_TEXT.finditer(_final(text))}
    orders = [labels for labels in found if len(labels) >= len(truth)]
    return orders[0] if len(orders) == 1 and sorted(orders[0]) == sorted(truth) else None


def _final(text: str) -> str:
    """What a text says after thinking: inside of its last answer tags where there are any.

    Nothing if the thinking does not end or the text is too long.
    """
    said = text.rpartition("</think>")[2]
    if "<think>" in said or len(text) > MAX_ANSWER:
        return ""
    tagged = said.rpartition("<answer>")
    return tagged[2].partition("</answer>")[0] if tagged[1] else said


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _text(completion: Any) -> str:
    if isinstance(completion, str):
        return completion
    return str(completion[-1].get("content") or "")
