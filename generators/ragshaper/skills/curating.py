"""The curator by rule: walks from entity to entity along the facts it reads."""

from collections.abc import Sequence
from random import Random

from generators.ragshaper.prompts.explore import (
    DISTRACT,
    FINISH,
    SEARCH,
    Explored,
    ExploreStep,
    NextAction,
)
from generators.ragshaper.skills.facts import Fact, read_facts
from generators.ragshaper.taxonomy import KINDS, Kind

EAGER = 0.6  # how often a hop is followed by a distractor while some are wanted
COUNTED = ("count", "km", "g")


def next_action(prompt: ExploreStep, rng: Random) -> NextAction:
    """Distract about what was just learned, else go on to the next entity, else finish."""
    facts = known(prompt.steps)
    here, visited = _standpoint(prompt.steps, facts)
    if prompt.room and prompt.steps[-1].tool == SEARCH and len(prompt.steps) > 1:
        target = _target(facts, here, visited, rng)
        if target is not None and (prompt.written == 0 or rng.random() < EAGER):
            return _distract(target, prompt, rng)
    forbidden = {action.casefold() for action in prompt.used}
    ahead = [f for f in facts if f.leads_on and f.subject in visited]
    ahead = [f for f in ahead if f"{SEARCH} {f.object}".casefold() not in forbidden]
    ahead = [f for f in ahead if f.object not in visited]
    near = [f for f in ahead if f.subject == here]
    if near or ahead:
        fact = rng.choice(near or ahead)
        why = (
            f"The {fact.relation} of {fact.subject} is {fact.object}; learn more of {fact.object}."
        )
        return NextAction(intention=why, tool=SEARCH, query=fact.object)
    if len(prompt.steps) == 1 and f"{SEARCH} {here}".casefold() not in forbidden:
        return NextAction(intention=f"Find what is known of {here}.", tool=SEARCH, query=here)
    return NextAction(intention="Nothing is left to find from here.", tool=FINISH)


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
        return queries[-1], set(queries) | {steps[0].argument}
    leading = [fact.subject for fact in facts if fact.leads_on]
    here = leading[0] if leading else steps[0].argument
    return here, {here, steps[0].argument}


def _target(facts: Sequence[Fact], here: str, visited: set[str], rng: Random) -> Fact | None:
    """A fact to write distractors about: what led here, or what is counted here."""
    led = [f for f in facts if f.object == here and f.subject in visited]
    own = [f for f in facts if f.subject == here]
    choice = led + own
    return rng.choice(choice) if choice else None


def _distract(fact: Fact, prompt: ExploreStep, rng: Random) -> NextAction:
    kinds: list[Kind] = list(prompt.lacking) or rng.sample(KINDS, len(KINDS))
    return NextAction(
        intention=f"Make the {fact.relation} of {fact.subject} harder to be sure of.",
        tool=DISTRACT,
        fact=fact.quote,
        types=kinds[: rng.choice((1, 2))],
    )
