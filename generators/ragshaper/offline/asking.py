"""Questions by rule: a chain of the path's facts, asked from its beginning.

Imperfect on purpose: some drafts give their answer away or leave the year open; checks find them.
"""

from collections.abc import Iterator, Sequence
from random import Random

from synthmill.generators.ragshaper.offline.chains import Chain, Hop, same
from synthmill.generators.ragshaper.offline.curating import known
from synthmill.generators.ragshaper.offline.facts import Fact
from synthmill.generators.ragshaper.offline.lexicon import BY_NOUN
from synthmill.generators.ragshaper.prompts.question import (
    Misleading,
    NegativeAspect,
    ReasoningStep,
    SynthesizedQuestion,
    SynthesizeQuestion,
)
from synthmill.models.offline import answers

SLIP = 0.04  # the chance of each kind of carelessness, at the first try
MAX_CHAINS = 2000
MAX_HOPS = 4


@answers(SynthesizeQuestion)
def asked(prompt: SynthesizeQuestion, rng: Random) -> SynthesizedQuestion:
    """A question along the chain that most misleading documents bear on; empty if there is none."""
    facts = known(prompt.steps)
    chains = list(_chains(facts, prompt.min_hops))
    if not chains:
        return SynthesizedQuestion(question="", answer="", reasoning_steps=[])
    misled = {bad.fact for bad in prompt.misleading}
    best = max(_appeal(chain, misled) for chain in chains)
    chosen = rng.choice([chain for chain in chains if _appeal(chain, misled) == best])
    hops = tuple(Hop(fact.relation, fact.qualifier) for fact in chosen)
    question = Chain(_start(chosen), hops).question
    return SynthesizedQuestion(
        question=question if prompt.failure else _slipped(question, chosen, rng),
        answer=chosen[-1].object,
        reasoning_steps=[
            ReasoningStep(
                hop=number,
                fact=f"The {fact.relation} of {fact.subject} is {fact.object}.",
                evidence=fact.quote,
                output=fact.object,
            )
            for number, fact in enumerate(chosen, 1)
        ],
        negative_aspect=[
            _negative(bad) for bad in prompt.misleading if bad.fact in {f.quote for f in chosen}
        ],
    )


def _chains(facts: Sequence[Fact], least: int) -> Iterator[tuple[Fact, ...]]:
    """Chains of facts in which each object is the next subject, no entity twice."""
    waiting: list[tuple[Fact, ...]] = [(fact,) for fact in facts if _serves(fact)]
    given = 0
    while waiting and given < MAX_CHAINS:
        chain = waiting.pop()
        if len(chain) >= least:
            given += 1
            yield chain
        last = chain[-1]
        if len(chain) < MAX_HOPS and last.leads_on and _telling(last):
            been = {fact.subject for fact in chain} | {last.object}
            waiting += [
                (*chain, fact)
                for fact in facts
                if same(fact.subject, last.object) and fact.object not in been
            ]


def _start(chain: Sequence[Fact]) -> str:
    """The entity to start from; code by its own name alone, lest its module is given away."""
    first = chain[0]
    coded = BY_NOUN[first.relation].value in ("code", "module")
    return _last(first.subject) if coded else first.subject


def _serves(fact: Fact) -> bool:
    """Whether a chain may start with a fact: its subject is a name of one thing, not a phrase."""
    coded = BY_NOUN[fact.relation].value in ("code", "module")
    return not fact.subject.startswith("the ") and (not coded or _one_thing(_last(fact.subject)))


def _telling(fact: Fact) -> bool:
    """Whether an object names one thing: `Error` alone could be any module's."""
    return BY_NOUN[fact.relation].value != "code" or _one_thing(fact.object)


def _one_thing(name: str) -> bool:
    return "." in name or sum(character.isupper() for character in name) > 1


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _appeal(chain: tuple[Fact, ...], misled: set[str]) -> tuple[bool, int, bool]:
    """Whether its last hop misleads, then how many hops do, then whether its end is an end."""
    return (
        chain[-1].quote in misled,
        sum(fact.quote in misled for fact in chain),
        not chain[-1].leads_on,
    )


def _negative(bad: Misleading) -> NegativeAspect:
    return NegativeAspect(
        dimension=bad.kind,
        misleading_claim=bad.claim,
        disambiguation=f"It says {bad.marker!r}, so it does not speak of what is asked.",
        distraction_text=bad.document.documents[0].text,
    )


def _slipped(question: str, chain: Sequence[Fact], rng: Random) -> str:
    slip = rng.random()
    if slip < SLIP:
        return f"{question} Is it {chain[-1].object}?"
    if slip < 2 * SLIP:
        return f"{question} It has to do with {chain[0].object}."
    if slip < 3 * SLIP and chain[-1].qualifier:
        return question.replace(f"the {chain[-1].qualifier} ", "the ", 1)
    return question
