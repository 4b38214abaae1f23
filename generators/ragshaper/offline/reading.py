"""Readers by rule: one reads carelessly, one for every answer, one compares two documents."""

from random import Random

from synthmill.generators.ragshaper.offline.chains import (
    Chain,
    chain_answers,
    chain_of,
    follow,
    followed_to_end,
)
from synthmill.generators.ragshaper.offline.facts import read_facts
from synthmill.generators.ragshaper.prompts.distract import Choice, TellApart
from synthmill.generators.ragshaper.prompts.reading import (
    UNKNOWN,
    AllAnswers,
    AnswerAlone,
    AnswerFrom,
    Answers,
    ReaderAnswer,
)
from synthmill.models.offline import answers
from synthmill.sources.documents.prompt_documents import PromptDocuments


@answers(AnswerFrom)
def answered(prompt: AnswerFrom, rng: Random) -> ReaderAnswer:
    """The answer of a reader who prefers sound statements, and takes others where there is none."""
    chain = chain_of(prompt.question)
    if chain is None:
        return ReaderAnswer(answer=UNKNOWN)
    facts = read_facts(prompt.documents.documents)
    found = followed_to_end(chain, follow(chain, facts, careful=True))
    found = found or followed_to_end(chain, follow(chain, facts, careful=False))
    return ReaderAnswer(answer=found or UNKNOWN)


@answers(AnswerAlone)
def answered_alone(prompt: AnswerAlone, rng: Random) -> ReaderAnswer:
    """The rules know nothing by heart."""
    return ReaderAnswer(answer=UNKNOWN)


@answers(AllAnswers)
def all_answers(prompt: AllAnswers, rng: Random) -> Answers:
    """Every answer along every branch of the chain, and the values of steps that branch."""
    chain = chain_of(prompt.question)
    if chain is None:
        return Answers(answers=[])
    facts = read_facts(prompt.documents.documents)
    steps = [
        chain_answers(Chain(chain.start, chain.hops[:length]), facts)
        for length in range(1, len(chain.hops) + 1)
    ]
    return Answers(
        answers=steps[-1], forks=[value for step in steps[:-1] if len(step) > 1 for value in step]
    )


@answers(TellApart)
def told_apart(prompt: TellApart, rng: Random) -> Choice:
    """The side that a careful reader can answer from, where it is one of the two."""
    first, second = (_answers(prompt.question, side) for side in (prompt.first, prompt.second))
    if first and not second:
        return Choice(choice="first", reason="the second is of another edition, or hearsay")
    if second and not first:
        return Choice(choice="second", reason="the first is of another edition, or hearsay")
    return Choice(choice="cannot tell", reason="nothing in them decides it")


def _answers(question: str, side: PromptDocuments) -> bool:
    chain = chain_of(question)
    if chain is None:
        return False
    found = follow(chain, read_facts(side.documents), careful=True)
    return followed_to_end(chain, found) is not None
