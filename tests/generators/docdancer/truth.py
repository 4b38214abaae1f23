"""What is true of a question about a made survey, found without the generator's code."""

import re

from tests.generators.docdancer.made_surveys import Survey

NOTHING = "Not answerable"


def true_answer(made: Survey, question: str) -> str:
    """The answer to a question by the survey's own record; raises where it cannot be understood."""
    text = question.rstrip("?")
    numbers = [float(n) for n in re.findall(r"(?:above|below|more than|less than) ([\d.]+)", text)]
    asked = _measures(made, text)
    if "target" in text:
        column = next(iter(asked))
        return str(sum(float(v) > made.limit for v in asked[column].values()))
    if numbers and re.search("highest|largest", text):
        condition, ranked = asked.values()
        kept = [n for n in condition.keys() & ranked.keys() if float(condition[n]) > numbers[0]]
        return max(kept, key=lambda name: float(ranked[name]))
    if numbers:
        return _conditions(asked, numbers, counted=text.lower().startswith(("how many", "for how")))
    (first, *more) = asked.values()
    if "widest gap" in text or "differ most" in text:
        both = first.keys() & more[0].keys()
        return max(both, key=lambda name: abs(float(first[name]) - float(more[0][name])))
    named = sorted(n for n in _names(made) if re.search(rf"\b{n}\b", text))
    named.sort(key=text.index)
    if len(named) == 2:
        return f"{float(first[named[0]]) - float(more[0][named[1]]):g}"
    if named:
        return _computed(text, [m.get(named[0]) for m in asked.values()])
    return _looked_up(made, text, asked)


def _computed(text: str, values: list[str | None]) -> str:
    if None in values:
        return NOTHING
    one, other = (float(value or 0) for value in values)
    if "percentage" in text:
        whole, part = (other, one) if "as a percentage of" in text else (one, other)
        return f"{100 * part / whole:.1f}%"
    if any(words in text for words in ("add up", "sum of", "total")):
        return f"{one + other:g}"
    return f"{one - other:g}"


def _conditions(asked: dict[str, dict[str, str]], bounds: list[float], counted: bool) -> str:
    first, second = asked.values()
    both = first.keys() & second.keys()
    found = [n for n in both if float(first[n]) > bounds[0] and float(second[n]) < bounds[1]]
    return str(len(found)) if counted else repr(sorted(found))


def _looked_up(made: Survey, text: str, asked: dict[str, dict[str, str]]) -> str:
    """The value of a site that is named by something else."""
    clues = made.described | made.pictured | {k.rstrip("."): v for k, v in made.remarked.items()}
    quoted = re.search(r'"(.+)"', text)
    measures = list(asked.items())
    if quoted:
        name = clues[quoted.group(1)]
    elif found := re.search(r"table on (\w+) of each \w+ in (\d+)", _last_table(text)):
        kind, year = found.groups()
        key = next(k for k in made.order if k[1] == int(year) and _label(made, k[0]) == kind)
        name = made.order[key][-1 if re.search(r"listed last|bottom row", text) else 0]
    else:
        ranking = re.search(
            r"(highest|largest|leads in|lowest|smallest|second-highest|ranks second)", text
        )
        assert ranking, text
        at = ranking.start()
        # The measure named behind the ranking selects; the other one is asked for.
        by = min((p for p, _ in _placed(made, text) if p > at), default=0)
        chosen = next(m for p, m in _placed(made, text) if p == by)
        order = sorted(asked[chosen], key=lambda n: -float(asked[chosen][n]))
        which = {"lowest": -1, "smallest": -1, "second-highest": 1, "ranks second": 1}
        name = order[which.get(ranking.group(), 0)]
        measures = [(m, v) for m, v in measures if m != chosen]
    return measures[0][1].get(name, NOTHING)


def _last_table(text: str) -> str:
    """The phrase on a table that says where a row is, not which column is meant."""
    found = re.search(r"(?:listed (?:first|last) in|(?:top|bottom) row of) the (table on .*)", text)
    return found.group(1) if found else ""


def _label(made: Survey, column: str) -> str:
    return "equipment" if len([k for k in made.values if k[0] == column]) == 1 else "size"


def _names(made: Survey) -> list[str]:
    return sorted({name for values in made.values.values() for name in values} | set(made.stated))


def _placed(made: Survey, text: str) -> list[tuple[int, str]]:
    """Every measure in a text with its place."""
    found = []
    for column, year in made.values:
        plain = re.sub(r" \((.*)\)", r" in \1", column).lower()
        dated = _label(made, column) == "size"
        ending = (
            rf" (?:in {year}|given in the table on size of each \w+ in {year})" if dated else r"\b"
        )
        hits = re.finditer(re.escape(plain) + ending, text, re.I)
        found += [(hit.start(), f"{column} {year}") for hit in hits]
    found += [(hit.start(), "stated") for hit in re.finditer("yearly budget", text)]
    return sorted(found)


def _measures(made: Survey, text: str) -> dict[str, dict[str, str]]:
    """The measures that a text names, in its order, with their values."""
    known = {f"{column} {year}": values for (column, year), values in made.values.items()}
    known["stated"] = made.stated
    return {name: known[name] for _, name in _placed(made, text)}
