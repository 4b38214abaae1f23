"""Chains of hops as questions: writing them, reading them, and following them through facts.

A chain is asked as `What is the 2018 population of the birthplace of the founder of Corvane?`.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from synthmill.generators.ragshaper.offline.relations import BY_NOUN, EDITION, Fact

_NOUN = "|".join(sorted((re.escape(noun) for noun in BY_NOUN), key=len, reverse=True))
_STEP = re.compile(rf"the (?:({EDITION}) )?({_NOUN}) of ")
_ASKED = re.compile(r"(?:[Ww]hat|[Ww]ho|[Ww]hich) (?:is|was) (.+?)\?")


class Hop(NamedTuple):
    """One relation to follow, in a year or edition where that matters."""

    relation: str
    qualifier: str | None = None


class Chain(NamedTuple):
    """Hops to follow from an entity, in this order."""

    start: str
    hops: tuple[Hop, ...]

    def phrase(self, length: int | None = None) -> str:
        """The end of the first `length` hops (all, if None) as a noun phrase."""
        phrase = self.start
        for hop in self.hops[:length]:
            edition = f"{hop.qualifier} " if hop.qualifier else ""
            phrase = f"the {edition}{hop.relation} of {phrase}"
        return phrase

    @property
    def question(self) -> str:
        """The chain as a question."""
        return f"What is {self.phrase()}?"


def chain_of(question: str) -> Chain | None:
    """The chain that a question asks for, or None where it has another form."""
    asked = _ASKED.search(question)
    if asked is None:
        return None
    phrase, hops = asked.group(1), list[Hop]()
    while step := _STEP.match(phrase):
        hops.append(Hop(step.group(2), step.group(1)))
        phrase = phrase[step.end() :]
    return Chain(phrase, tuple(reversed(hops))) if hops else None


def same(one: str, other: str) -> bool:
    """Whether two names mean the same entity: code may be named with or without its module."""
    one, other = one.casefold(), other.casefold()
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def about(facts: Sequence[Fact], entity: str, phrase: str, hop: Hop) -> Iterator[Fact]:
    """The facts for a hop from an entity, which may also be named by the phrase that led to it."""
    for fact in facts:
        if fact.relation == hop.relation and (
            same(fact.subject, entity) or fact.subject.casefold() == phrase.casefold()
        ):
            yield fact


def sound(fact: Fact, hop: Hop) -> bool:
    """Whether a careful reader relies on a fact for a hop: no caveat, and the edition asked for."""
    return fact.caveat is None and fact.qualifier == hop.qualifier


def follow(chain: Chain, facts: Sequence[Fact], *, careful: bool) -> list[Fact]:
    """The facts that answer the hops, up to the first hop without one.

    A careless reader takes the first fact found, and a statement about the whole question at once
    in place of the steps between.
    """
    if not careful:
        whole = about(facts, "", chain.phrase(len(chain.hops) - 1), chain.hops[-1])
        shortcut = next(whole, None)
        if shortcut is not None:
            return [shortcut]
    entity, found = chain.start, list[Fact]()
    for number, hop in enumerate(chain.hops):
        known = about(facts, entity, chain.phrase(number), hop)
        fact = next((f for f in known if not careful or sound(f, hop)), None)
        if fact is None:
            break
        found.append(fact)
        entity = fact.object
    return found


def chain_answers(chain: Chain, facts: Sequence[Fact]) -> list[str]:
    """Every answer that the facts support along every branch, in reading order."""
    entities = [chain.start]
    for number, hop in enumerate(chain.hops):
        entities = list(
            dict.fromkeys(
                fact.object
                for entity in entities
                for fact in about(facts, entity, chain.phrase(number), hop)
                if sound(fact, hop) or (hop.qualifier is None and fact.caveat is None)
            )
        )
    return entities


def followed_to_end(chain: Chain, found: Sequence[Fact]) -> str | None:
    """The answer of a followed chain, or None where its facts do not reach the end."""
    if not found or found[-1].relation != chain.hops[-1].relation:
        return None
    whole = len(found) == len(chain.hops) or found[-1].subject == chain.phrase(len(chain.hops) - 1)
    return found[-1].object if whole else None
