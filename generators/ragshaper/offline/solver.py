"""The author, the readers and the teacher by rule: they follow chains of facts.

Imperfect on purpose, as a small model is: some questions give their answer away or leave the year
open, and the teacher does not always read with care.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

from synthmill.filters.verifiers.prompts.reading import (
    UNKNOWN,
    AnswerFromDocuments,
    AnswerFromMemory,
    ListAnswers,
    ListedAnswers,
    ShortAnswer,
)
from synthmill.generators.ragshaper.navigation import split_documents
from synthmill.generators.ragshaper.offline.chains import (
    Chain,
    Hop,
    about,
    chain_answers,
    chain_of,
    follow,
    followed_to_end,
    same,
    sound,
)
from synthmill.generators.ragshaper.offline.curator import known_facts
from synthmill.generators.ragshaper.offline.relations import BY_NOUN, Fact, read_facts
from synthmill.generators.ragshaper.prompts import (
    SEARCH,
    MisleadingDocument,
    NavigatorTurn,
    ReasoningStep,
    SideChoice,
    SynthesizedQuestion,
    SynthesizeQuestion,
    TellApart,
)
from synthmill.generators.ragshaper.records import NegativeAspect
from synthmill.models.offline import answers
from synthmill.schemas.messages import Message
from synthmill.sources.documents.prompt_documents import PromptDocument, PromptDocuments

SLIP = 0.04  # the chance of each kind of carelessness, at the first try
MAX_CHAINS = 2000
MAX_HOPS = 4


@answers(SynthesizeQuestion)
def asked(prompt: SynthesizeQuestion, rng: Random) -> SynthesizedQuestion:
    """A question along the chain that most distractors are about; empty if there is no chain."""
    facts = known_facts(prompt.steps)
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
    """The entity to start from; code without its module, which the question may ask for."""
    first = chain[0]
    coded = BY_NOUN[first.relation].value in ("code", "module")
    return _last(first.subject) if coded else first.subject


def _serves(fact: Fact) -> bool:
    """Whether a chain may start with a fact: its subject names one thing and is not a phrase."""
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
    """Distractors about the last hop, then about any hop; then whether nothing follows."""
    return (
        chain[-1].quote in misled,
        sum(fact.quote in misled for fact in chain),
        not chain[-1].leads_on,
    )


def _negative(bad: MisleadingDocument) -> NegativeAspect:
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


@answers(AnswerFromDocuments)
def answered(prompt: AnswerFromDocuments, rng: Random) -> ShortAnswer:
    """Prefers correct statements; uses others where the documents hold no correct one."""
    chain = chain_of(prompt.question)
    if chain is None:
        return ShortAnswer(answer=UNKNOWN)
    facts = read_facts(prompt.documents.documents)
    found = followed_to_end(chain, follow(chain, facts, careful=True))
    found = found or followed_to_end(chain, follow(chain, facts, careful=False))
    return ShortAnswer(answer=found or UNKNOWN)


@answers(AnswerFromMemory)
def answered_alone(prompt: AnswerFromMemory, rng: Random) -> ShortAnswer:
    """The rules know nothing without documents."""
    return ShortAnswer(answer=UNKNOWN)


@answers(ListAnswers)
def all_answers(prompt: ListAnswers, rng: Random) -> ListedAnswers:
    """Every answer along every branch of the chain, and the values of steps that branch."""
    chain = chain_of(prompt.question)
    if chain is None:
        return ListedAnswers(answers=[])
    facts = read_facts(prompt.documents.documents)
    steps = [
        chain_answers(Chain(chain.start, chain.hops[:length]), facts)
        for length in range(1, len(chain.hops) + 1)
    ]
    return ListedAnswers(
        answers=steps[-1], forks=[value for step in steps[:-1] if len(step) > 1 for value in step]
    )


@answers(TellApart)
def told_apart(prompt: TellApart, rng: Random) -> SideChoice:
    """The side from which a careful reader can answer, if it is exactly one."""
    first, second = (_answers(prompt.question, side) for side in (prompt.first, prompt.second))
    if first and not second:
        return SideChoice(choice="first", reason="the second is of another edition, or hearsay")
    if second and not first:
        return SideChoice(choice="second", reason="the first is of another edition, or hearsay")
    return SideChoice(choice="cannot tell", reason="nothing in them decides it")


def _answers(question: str, side: PromptDocuments) -> bool:
    chain = chain_of(question)
    if chain is None:
        return False
    found = follow(chain, read_facts(side.documents), careful=True)
    return followed_to_end(chain, found) is not None


CARELESS = 0.3  # how often a turn takes the first statement that fits


@answers(NavigatorTurn)
def next_turn(prompt: NavigatorTurn, rng: Random) -> str:
    """Thought, then a call or the final answer, in tags."""
    chain = chain_of(prompt.question)
    if chain is None:
        return _final("I cannot take this question apart.", "unknown", prompt)
    facts = read_facts(_pages(prompt.conversation))
    careful = rng.random() >= CARELESS
    found = _found(chain, facts, careful, rng)
    answer = followed_to_end(chain, found)
    notes = _set_aside(chain, facts, found) if careful else []
    if answer is not None:
        return _final(" ".join([*notes, *map(_learned, found)]), answer, prompt)
    asked = _queries(prompt.conversation)
    hop = chain.hops[len(found)]
    entity = found[-1].object if found else chain.start
    query = _query(hop.relation, hop.qualifier, entity, asked)
    if query is None:
        return _final(
            "I have asked in several ways and found nothing that answers.", "unknown", prompt
        )
    thought = [*notes, *map(_learned, found), f"Next I need the {hop.relation} of {entity}."]
    call = json.dumps({"name": SEARCH, "arguments": {"query": query}}, ensure_ascii=False)
    return f"<think>{' '.join(thought)}</think>\n<tool_call>\n{call}\n</tool_call>"


def _found(chain: Chain, facts: Sequence[Fact], careful: bool, rng: Random) -> list[Fact]:
    order = list(facts)
    if not careful:
        rng.shuffle(order)
    return follow(chain, order, careful=careful)


def _set_aside(chain: Chain, facts: Sequence[Fact], found: Sequence[Fact]) -> list[str]:
    """Remarks of a careful reader on statements that it does not rely on."""
    notes, entity = [], chain.start
    for number, hop in enumerate(chain.hops[: len(found) + 1]):
        for fact in about(facts, entity, chain.phrase(number), hop):
            if not sound(fact, hop):
                why = fact.caveat or f"of {fact.qualifier or 'no stated edition'}"
                notes.append(f"One passage says {fact.object}, but it is {why}: I set it aside.")
        entity = found[number].object if number < len(found) else entity
    return list(dict.fromkeys(notes))[:3]


def _learned(fact: Fact) -> str:
    edition = f" ({fact.qualifier})" if fact.qualifier else ""
    return f"The {fact.relation} of {fact.subject}{edition} is {fact.object}."


def _query(relation: str, edition: str | None, entity: str, asked: Counter[str]) -> str | None:
    """A query for a hop that was not tried yet, or None after all of them."""
    ways = [
        f"{relation} of {entity}" + (f" in {edition}" if edition else ""),
        " ".join(filter(None, (BY_NOUN[relation].inquiry(entity), edition))),
        entity,
    ]
    return next((way for way in ways if not asked[way]), None)


def _pages(conversation: Sequence[Message]) -> list[PromptDocument]:
    observed = (m.text for m in conversation if m.role == "tool")
    return [page for text in observed for page in split_documents(text)]


def _queries(conversation: Sequence[Message]) -> Counter[str]:
    calls = (json.loads(m.tool_calls) for m in conversation if m.tool_calls)
    given = (json.loads(c["function"]["arguments"]) for calls_ in calls for c in calls_)
    return Counter(str(arguments.get("query", "")) for arguments in given)


def _final(thought: str, answer: str, prompt: NavigatorTurn) -> str:
    thought = re.sub(r"\s+", " ", thought)
    return f"<think>{thought}</think>\n{prompt.final_start}{answer}{prompt.final_end}"
