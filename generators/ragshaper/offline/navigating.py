"""The teacher by rule: searches hop by hop, and reads what it finds, not always with care."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from random import Random

from synthmill.generators.ragshaper.offline.chains import (
    Chain,
    about,
    chain_of,
    follow,
    followed_to_end,
    sound,
)
from synthmill.generators.ragshaper.offline.facts import Fact, read_facts
from synthmill.generators.ragshaper.offline.lexicon import BY_NOUN
from synthmill.generators.ragshaper.prompts.navigate import NavigatorTurn
from synthmill.generators.ragshaper.tools import SEARCH, split_documents
from synthmill.models.offline import answers
from synthmill.schemas.messages import Message
from synthmill.sources.documents.prompt_documents import PromptDocument

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
    """What a careful reader says of statements that it does not rely on."""
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
    """A query for a hop that was not tried yet, or None when all ways were."""
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
