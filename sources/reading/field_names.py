"""Which field of a problem file holds the question, the answer and the id: a guess to be shown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from synthmill.schemas.errors import InputError, nearest

# Ours, most telling first; compared without letter case, spaces and signs.
NAMES = {
    "problem": (
        "problem", "question", "prompt", "instruction", "query", "exercise", "task", "input",
        "text", "q",
    ),
    "answer": (
        "answer", "finalanswer", "expectedanswer", "correctanswer", "groundtruth", "gold", "label",
        "target", "solution", "result", "expected", "output", "response", "a",
    ),
    "id": ("id", "uid", "uuid", "key", "problemid", "questionid", "idx", "index", "nr", "no"),
}  # fmt: skip
MOST_FIELDS = 200  # ours: of a record that is looked at
MOST_CHARS = 2000  # ours: of a value that is looked at
LONG = 200  # ours: characters of answers that are whole solutions
MARK = "####"  # GSM8K's, before the final answer
MOSTLY = 0.9  # ours: share of records

Values = Mapping[str, str]


class FieldGuess(NamedTuple):
    """The fields of a problem file; `notes` say what to look at, `unused` are the other fields."""

    problem: str
    answer: str | None
    id: str | None
    answer_after: str | None
    unused: list[str]
    notes: list[str]


def flat_texts(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The texts and numbers of a record, nested ones as `outer.inner`; others are empty."""
    for name, value in list(record.items())[:MOST_FIELDS]:
        if isinstance(value, Mapping) and value and prefix.count(".") < 3:
            yield from flat_texts(value, f"{prefix}{name}.")
        else:
            usable = isinstance(value, str | int | float) and not isinstance(value, bool)
            yield f"{prefix}{name}", str(value)[:MOST_CHARS].strip() if usable else ""


def guess_fields(records: Sequence[Values], given: Mapping[str, str | None]) -> FieldGuess:
    """Guess by the names of fields, and by what is in them.

    Args:
        records: the first records, as `flat_texts` gives them.
        given: fields that the user named: `problem`, `answer`, `id`.

    Raises:
        InputError: a given field does not exist, or no field looks like the question.
    """
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {name: [record.get(name, "") for record in records] for name in names}
    filled = {name: sum(map(bool, values)) / len(records) for name, values in columns.items()}
    for part, name in given.items():
        if name is not None and name not in columns:
            raise InputError(
                f"--{part}: there is no field {name!r}{nearest(name, names)}; {_all(names)}"
            )
    usable = [name for name in names if filled[name] >= 0.5 and name not in given.values()]
    texts = [name for name in usable if not all(map(_is_number, columns[name]))]
    problem = given.get("problem") or _named("problem", texts) or _only_prose(texts, columns)
    if problem is None:
        raise InputError(
            f"no field looks like the question; {_all(names)}. Name it: --problem FIELD "
            "(and --answer FIELD, --id FIELD)"
        )
    usable = [name for name in usable if name != problem]
    answer, notes = given.get("answer") or _named("answer", usable), list[str]()
    if answer is None:
        notes.append("no field looks like the answer: --answer FIELD names it, if there is one")
    usable = [name for name in usable if name != answer]
    key = given.get("id") or _named("id", usable)
    if key and len(set(columns[key])) < len(records) and not given.get("id"):
        notes.append(f"{key!r} is not used as id: its values repeat or are missing")
        key = None
    mark = answer and _mark_before_answer(columns[answer])
    if answer and not mark and median(map(len, columns[answer])) > LONG:
        notes.append(
            f"{answer!r} holds long texts: filters compare final answers, so name the field that "
            "has them (--answer), or the mark in front of them (`answer_after` in the recipe)"
        )
    used = {problem, answer, key}
    unused = [name for name in names if name not in used]
    return FieldGuess(problem, answer, key, mark or None, unused, notes)


def _named(part: str, names: Sequence[str]) -> str | None:
    """The field whose name, or whose name within its object, is a known one; else contains one."""
    plain = {name: re.sub(r"[\W_]", "", name.rpartition(".")[2]).lower() for name in names}
    for known in NAMES[part]:
        for name in names:
            if plain[name] == known:
                return name
    for known in NAMES[part]:
        for name in names:
            if known in _words(name):
                return name
    return None


def _words(name: str) -> list[str]:
    """`mathProblem_text` -> math, problem, text."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"[\W_]", " ", name)).lower().split()


def _only_prose(names: Sequence[str], columns: Mapping[str, Sequence[str]]) -> str | None:
    """The one field with several words in most records, if it is one."""
    prose = [n for n in names if median(len(value.split()) for value in columns[n]) >= 3]
    return prose[0] if len(prose) == 1 else None


def _mark_before_answer(answers: Sequence[str]) -> str | None:
    marked = sum(MARK in answer for answer in answers)
    return MARK if marked >= MOSTLY * len(answers) else None


def _is_number(value: str) -> bool:
    return not value or re.fullmatch(r"[-+]?[\d.,]+", value) is not None


def _all(names: Sequence[str]) -> str:
    return f"the fields are {', '.join(names[:20])}{' ...' if len(names) > 20 else ''}"
