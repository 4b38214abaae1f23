"""The curator by rule: walks from entity to entity, and edits facts into distractors.

Imperfect on purpose, as a small model is: some distractors lack their marker, keep the true value,
or copy their source. The generator's filters find them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random

from synthmill.generators.ragshaper.offline.chains import Chain, Hop
from synthmill.generators.ragshaper.offline.relations import BY_NOUN, COUNTED, Fact, read_facts
from synthmill.generators.ragshaper.prompts import (
    DISTRACT,
    FINISH,
    SEARCH,
    ExploredStep,
    ExploreStep,
    NextAction,
    WriteDistractors,
    WrittenDistractors,
    WrittenDocument,
)
from synthmill.generators.ragshaper.records import DISTRACTOR_TYPES, DistractorType
from synthmill.models.offline import answers

EAGER = 0.6  # how often a hop is followed by a distractor while some are wanted


@answers(ExploreStep)
def next_action(prompt: ExploreStep, rng: Random) -> NextAction:
    """Request distractors about a fact just read, else search for the next entity, else finish."""
    facts = known_facts(prompt.steps)
    here, visited = _standpoint(prompt.steps, facts)
    if prompt.room and prompt.steps[-1].tool == SEARCH and len(prompt.steps) > 1:
        choices = _distractions(facts, here, visited, prompt.lacking or DISTRACTOR_TYPES)
        if choices and (prompt.written == 0 or rng.random() < EAGER):
            fact, kinds = rng.choice(choices)
            return NextAction(
                intention=f"Make the {fact.relation} of {fact.subject} harder to be sure of.",
                tool=DISTRACT,
                fact=fact.quote,
                types=kinds[: rng.choice((1, 2))],
            )
    forbidden = {action.casefold() for action in prompt.used}
    for names in _ways_on(facts, here, visited):
        open_ = [name for name in names if f"{SEARCH} {name}".casefold() not in forbidden]
        if open_:
            name = rng.choice(open_)
            return NextAction(intention=_reason(name, facts), tool=SEARCH, query=name)
    return NextAction(intention="Nothing is left to find from here.", tool=FINISH)


def _ways_on(facts: Sequence[Fact], here: str, visited: set[str]) -> Iterator[list[str]]:
    """Entities not searched yet: objects of this one, objects of others, then any subject."""
    ahead = [f for f in facts if f.leads_on and f.object not in visited]
    yield [f.object for f in ahead if f.subject == here]
    yield [f.object for f in ahead if f.subject in visited]
    yield [f.subject for f in ahead if f.subject not in visited] or [here]


def _reason(name: str, facts: Sequence[Fact]) -> str:
    led = next((f for f in facts if f.object == name), None)
    if led is None:
        return f"Find what is known of {name}."
    return f"The {led.relation} of {led.subject} is {name}; learn more of {name}."


def known_facts(steps: Sequence[ExploredStep]) -> list[Fact]:
    """The facts read so far that a careful reader relies on, each once."""
    pages = [page for step in steps for page in step.found.documents if step.tool == SEARCH]
    seen, kept = set(), []
    for fact in read_facts(pages):
        name = (fact.subject, fact.relation, fact.object, fact.qualifier)
        if fact.caveat is None and name not in seen:
            seen.add(name)
            kept.append(fact)
    return kept


def _standpoint(steps: Sequence[ExploredStep], facts: Sequence[Fact]) -> tuple[str, set[str]]:
    """The entity searched last, and all that were; at the root, the subject of the seed."""
    queries = [step.argument for step in steps[1:] if step.tool == SEARCH]
    if queries:
        return queries[-1], set(queries)
    subjects = [f.subject for f in facts if f.leads_on] or [f.subject for f in facts]
    return (subjects or [steps[0].argument])[0], set()


def _distractions(
    facts: Sequence[Fact], here: str, visited: set[str], kinds: Sequence[DistractorType]
) -> list[tuple[Fact, list[DistractorType]]]:
    """Facts about this entity or leading to it, with the distractor types that fit each."""
    found = []
    for fact in facts:
        if fact.subject == here or (fact.object == here and fact.subject in visited):
            fitting = [kind for kind in kinds if _fits(kind, fact, facts)]
            found += [(fact, fitting)] if fitting else []
    return found


def _fits(kind: DistractorType, fact: Fact, facts: Sequence[Fact]) -> bool:
    """Whether a type fits: parts need a count, a shortcut needs a step to leave out, and an object
    that its subject's name contains cannot be changed."""
    if fact.object in fact.subject:
        return False
    if kind == "fragmented_puzzle":
        return BY_NOUN[fact.relation].value in COUNTED
    if kind == "false_shortcut":
        return any(f.object == fact.subject for f in facts if f.leads_on)
    return True


SLIP = 0.04  # the chance of each kind of carelessness
BETWEEN_UNSAID = "What lies between is not set down."
EMPTY = WrittenDistractors(question="", true_answer="", documents=[])


@answers(WriteDistractors)
def written(prompt: WriteDistractors, rng: Random) -> WrittenDistractors:
    """Distractors about the prompt's fact; none where the rules cannot make this type."""
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
_WRITERS: dict[DistractorType, Writer] = {
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
    """Another object of the same kind: one that was read, or the true one changed."""
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
    """A similar name: another vowel, or another number."""
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
