"""The curator by rule: walks from entity to entity along the facts it reads."""

from collections.abc import Iterator, Sequence
from random import Random

from synthmill.generators.ragshaper.offline.facts import Fact, read_facts
from synthmill.generators.ragshaper.offline.lexicon import BY_NOUN, COUNTED
from synthmill.generators.ragshaper.prompts.explore import (
    DISTRACT,
    FINISH,
    SEARCH,
    Explored,
    ExploreStep,
    NextAction,
)
from synthmill.generators.ragshaper.taxonomy import KINDS, Kind
from synthmill.models.offline import answers

EAGER = 0.6  # how often a hop is followed by a distractor while some are wanted


@answers(ExploreStep)
def next_action(prompt: ExploreStep, rng: Random) -> NextAction:
    """Distract about what was just learned, else go on to the next entity, else finish."""
    facts = known(prompt.steps)
    here, visited = _standpoint(prompt.steps, facts)
    if prompt.room and prompt.steps[-1].tool == SEARCH and len(prompt.steps) > 1:
        choices = _distractions(facts, here, visited, prompt.lacking or KINDS)
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
    """Entities not looked up yet: those that this one leads to, those others do, any at all."""
    ahead = [f for f in facts if f.leads_on and f.object not in visited]
    yield [f.object for f in ahead if f.subject == here]
    yield [f.object for f in ahead if f.subject in visited]
    yield [f.subject for f in ahead if f.subject not in visited] or [here]


def _reason(name: str, facts: Sequence[Fact]) -> str:
    led = next((f for f in facts if f.object == name), None)
    if led is None:
        return f"Find what is known of {name}."
    return f"The {led.relation} of {led.subject} is {name}; learn more of {name}."


def known(steps: Sequence[Explored]) -> list[Fact]:
    """The facts read so far that a careful reader relies on, each once."""
    pages = [page for step in steps for page in step.found.documents if step.tool == SEARCH]
    seen, kept = set(), []
    for fact in read_facts(pages):
        name = (fact.subject, fact.relation, fact.object, fact.qualifier)
        if fact.caveat is None and name not in seen:
            seen.add(name)
            kept.append(fact)
    return kept


def _standpoint(steps: Sequence[Explored], facts: Sequence[Fact]) -> tuple[str, set[str]]:
    """The entity looked up last, and all that were; at the root, what the seed speaks of."""
    queries = [step.argument for step in steps[1:] if step.tool == SEARCH]
    if queries:
        return queries[-1], set(queries)
    subjects = [f.subject for f in facts if f.leads_on] or [f.subject for f in facts]
    return (subjects or [steps[0].argument])[0], set()


def _distractions(
    facts: Sequence[Fact], here: str, visited: set[str], kinds: Sequence[Kind]
) -> list[tuple[Fact, list[Kind]]]:
    """Facts to write distractors about (what led here, what is true here), with fitting types."""
    found = []
    for fact in facts:
        if fact.subject == here or (fact.object == here and fact.subject in visited):
            fitting = [kind for kind in kinds if _fits(kind, fact, facts)]
            found += [(fact, fitting)] if fitting else []
    return found


def _fits(kind: Kind, fact: Fact, facts: Sequence[Fact]) -> bool:
    """A count alone has parts to tell, a shortcut needs a step to leave out, and what its
    subject's own name gives away cannot be told wrong."""
    if fact.object in fact.subject:
        return False
    if kind == "fragmented_puzzle":
        return BY_NOUN[fact.relation].value in COUNTED
    if kind == "false_shortcut":
        return any(f.object == fact.subject for f in facts if f.leads_on)
    return True
