"""Distractors by rule: one fact edited after the guideline of its type.

Imperfect on purpose: some drafts forget their marker, keep the true value, or copy their source, as
a small model's do; the generator's checks are there to find them.
"""

import re
from collections.abc import Callable, Sequence
from random import Random

from synthmill.generators.ragshaper.offline.chains import Chain, Hop
from synthmill.generators.ragshaper.offline.facts import Fact, read_facts
from synthmill.generators.ragshaper.offline.lexicon import BY_NOUN, COUNTED
from synthmill.generators.ragshaper.prompts.distract import (
    WriteDistractors,
    WrittenDistractors,
    WrittenDocument,
)
from synthmill.generators.ragshaper.taxonomy import Kind
from synthmill.models.offline import answers

SLIP = 0.04  # the chance of each kind of carelessness
BETWEEN_UNSAID = "What lies between is not set down."
EMPTY = WrittenDistractors(question="", true_answer="", documents=[])


@answers(WriteDistractors)
def written(prompt: WriteDistractors, rng: Random) -> WrittenDistractors:
    """Distractors about the prompt's fact; none where the rules can make none of this type."""
    pages = (*prompt.source.documents, *prompt.context.documents)
    facts = read_facts(pages)
    fact = next((f for f in facts if f.quote == prompt.fact and f.passage == 0), None)
    if fact is None:
        return EMPTY
    hop = Hop(fact.relation, fact.qualifier)
    chain = Chain(fact.subject, (hop,))
    if prompt.kind == "false_shortcut":
        before = _before(fact, facts)
        if before is None:
            return EMPTY
        chain = Chain(before.subject, (Hop(before.relation, before.qualifier), hop))
    if prompt.kind == "fragmented_puzzle" and BY_NOUN[fact.relation].value not in COUNTED:
        return EMPTY
    drafts = _WRITERS[prompt.kind](fact, chain, _wrong_value(fact, facts, rng), rng)
    return WrittenDistractors(
        question=chain.question,
        true_answer=fact.object,
        documents=[_slipped(draft, fact, pages[0].text, rng) for draft in drafts],
    )


def _doppelganger(fact: Fact, chain: Chain, wrong: str, rng: Random) -> list[WrittenDocument]:
    if fact.qualifier is None:
        year = rng.randrange(1950, 2010)
        marker = f"withdrawn {year} edition"
        opening = f"This entry is that of the {marker} of the register. "
        return [_document(f"{fact.subject} ({year} register)", opening, fact, wrong, marker)]
    other = _adjacent(fact.qualifier, rng)
    marker = f"figures for {other}"
    opening = f"This sheet holds the official {marker}. "
    stated = fact._replace(qualifier=other)
    return [_document(f"{fact.subject}: {other}", opening, stated, wrong, marker)]


def _false_shortcut(fact: Fact, chain: Chain, wrong: str, rng: Random) -> list[WrittenDocument]:
    marker = rng.choice(("Reportedly", "According to rumour"))
    claim = f"{marker}, {chain.phrase()} is {wrong}."
    text = f"{claim} {BETWEEN_UNSAID}"
    return [
        WrittenDocument(
            title=f"Notes on {chain.start}",
            text=text,
            marker=marker,
            misleading_claim=claim,
            wrong_answer=wrong,
        )
    ]


def _fragmented(fact: Fact, chain: Chain, wrong: str, rng: Random) -> list[WrittenDocument]:
    number, unit = _number(fact.object)
    share = rng.uniform(0.35, 0.65)
    parts = [round(number * share), number - round(number * share)]
    documents = []
    for months, part in zip(("January to June", "July to December"), parts, strict=True):
        marker = f"{months} only"
        value = f"{part:,}{unit}"
        opening = f"This return covers {marker}. "
        documents.append(
            _document(f"{fact.subject}: return, {months}", opening, fact, value, marker)
        )
    return documents


def _subjective(fact: Fact, chain: Chain, wrong: str, rng: Random) -> list[WrittenDocument]:
    marker = rng.choice(("In my opinion", "As I remember it"))
    opening = f"{marker} nobody has looked into {fact.subject} as long as I have. "
    return [_document(f"What I know of {fact.subject}", opening, fact, wrong, marker)]


Writer = Callable[[Fact, Chain, str, Random], list[WrittenDocument]]
_WRITERS: dict[Kind, Writer] = {
    "doppelganger": _doppelganger,
    "false_shortcut": _false_shortcut,
    "fragmented_puzzle": _fragmented,
    "subjective_fallacy": _subjective,
}


def _document(title: str, opening: str, fact: Fact, wrong: str, marker: str) -> WrittenDocument:
    claim = said(fact, wrong)
    return WrittenDocument(
        title=title, text=opening + claim, marker=marker, misleading_claim=claim, wrong_answer=wrong
    )


def said(fact: Fact, value: str) -> str:
    """A fact's relation in a plain sentence, with another object."""
    return BY_NOUN[fact.relation].says(fact.subject, value, fact.qualifier)


def _before(fact: Fact, facts: Sequence[Fact]) -> Fact | None:
    """The fact that leads to this one's subject."""
    return next((f for f in facts if f.object == fact.subject and f.leads_on), None)


def _wrong_value(fact: Fact, facts: Sequence[Fact], rng: Random) -> str:
    """Another object of the same kind: one that was read, or the true one altered."""
    relation = BY_NOUN[fact.relation]
    if relation.leads_on:
        others = sorted(
            {
                f.object
                for f in facts
                if BY_NOUN[f.relation].value == relation.value
                and f.object not in (fact.object, fact.subject)
                and (f.relation == fact.relation or relation.value == "code")
            }
        )
        return rng.choice(others) if others else _respelled(fact.object, rng)
    if relation.value == "year":
        return str(int(fact.object) + rng.choice((-1, 1)) * rng.randrange(2, 30))
    if relation.value in COUNTED:
        number, unit = _number(fact.object)
        shift = max(1, round(number * rng.uniform(0.02, 0.15)))
        return f"{number + rng.choice((-1, 1)) * shift:,}{unit}"
    return _respelled(fact.object, rng)


def _number(value: str) -> tuple[int, str]:
    digits = re.match(r"[\d,]+", value)
    assert digits is not None
    return int(digits.group().replace(",", "")), value[digits.end() :]


def _adjacent(edition: str, rng: Random) -> str:
    if edition.isdigit():
        return str(int(edition) + rng.choice((-1, 1)))
    if edition.startswith("Mk "):
        marks = ["Mk I", "Mk II", "Mk III", "Mk IV"]
        at = marks.index(edition) if edition in marks else 0
        return marks[at - 1] if at else marks[1]
    return rng.choice([f"{n}nd edition" for n in (2, 22) if f"{n}nd edition" != edition])


def _respelled(name: str, rng: Random) -> str:
    """A name like the given one: another vowel in its first word, or another number."""
    if any(character.isdigit() for character in name):
        return re.sub(r"\d", lambda d: str((int(d.group()) + 1) % 10), name, count=1)
    vowels = [i for i, character in enumerate(name) if i and character in "aeiou"]
    if not vowels:
        return f"{name}a"
    at = rng.choice(vowels)
    return name[:at] + rng.choice([v for v in "aeiou" if v != name[at]]) + name[at + 1 :]


def _slipped(draft: WrittenDocument, fact: Fact, source: str, rng: Random) -> WrittenDocument:
    slip = rng.random()
    if slip < SLIP:
        return draft.model_copy(update={"text": said(fact, draft.wrong_answer)})
    if slip < 2 * SLIP:
        return draft.model_copy(
            update={"text": draft.text.replace(draft.wrong_answer, fact.object)}
        )
    if slip < 3 * SLIP:
        return draft.model_copy(update={"text": f"{draft.marker}. {source}"})
    return draft
