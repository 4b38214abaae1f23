"""Planted bad questions and distractors are caught, each for its own reason; rates are printed."""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from synthmill.filters.verifiers.prompts.reading import ShortAnswer
from synthmill.generators.ragshaper.distractors import DistractorChecker
from synthmill.generators.ragshaper.knowledge_base import KnowledgeBase
from synthmill.generators.ragshaper.offline.chains import Chain, Hop, chain_of
from synthmill.generators.ragshaper.prompts import ReasoningStep, SynthesizedQuestion
from synthmill.generators.ragshaper.questions import (
    CheckedQuestion,
    QuestionChecker,
    locate_hops,
    synthesize_question,
)
from synthmill.generators.ragshaper.records import CheckResult, Distractor
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.task import RagTask
from synthmill.generators.ragshaper.tree import InformationTree, TreeBuilder, TreePath, select_paths
from synthmill.sources.documents.document import Passage
from tests.generators.ragshaper.desk import Desk, knowledge_of, world_source

SETTINGS = RagShaperSettings.model_validate({"preset": "light"})


class Good(NamedTuple):
    """A question that stands, and what it was made from."""

    knowledge: KnowledgeBase
    tree: InformationTree
    path: TreePath
    question: CheckedQuestion

    @property
    def passages(self) -> list[Passage]:
        return self.tree.passages_of(self.path.nodes)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[Good]:
    return asyncio.run(_good(tmp_path_factory.mktemp("corpora")))


async def _good(cache: Path) -> list[Good]:
    knowledge, found = await knowledge_of(world_source(21)[0], cache), []
    for number in range(16):
        desk = Desk(number)
        task = RagTask(desk, knowledge, SETTINGS)
        tree = await TreeBuilder(task, knowledge.corpus[number * 5]).build()
        for path in select_paths(tree.nodes, 1, 0.7):
            question = await synthesize_question(task.scoped("path"), tree, path)
            if question.passed:
                found.append(Good(knowledge, tree, path, question))
    return found


def steps_of(good: Good) -> list[ReasoningStep]:
    return good.question.asked.reasoning_steps


def leaked(good: Good) -> SynthesizedQuestion:
    asked = good.question.asked
    return asked.model_copy(update={"question": f"{asked.question[:-1]}, or {asked.answer}?"})


def hop_leaked(good: Good) -> SynthesizedQuestion:
    asked, hop = good.question.asked, steps_of(good)[0].output
    return asked.model_copy(update={"question": f"{asked.question[:-1]}, by way of {hop}?"})


def unsupported(good: Good) -> SynthesizedQuestion:
    """A quote with one word changed."""
    steps = [*steps_of(good)]
    evidence = steps[1].evidence.split()
    evidence[len(evidence) // 2] = "surely"
    steps[1] = steps[1].model_copy(update={"evidence": " ".join(evidence)})
    return good.question.asked.model_copy(update={"reasoning_steps": steps})


def wrong_output(good: Good) -> SynthesizedQuestion:
    steps = [*steps_of(good)]
    steps[-1] = steps[-1].model_copy(update={"output": "Nobody Atall"})
    return good.question.asked.model_copy(
        update={"reasoning_steps": steps, "answer": "Nobody Atall"}
    )


def star(good: Good) -> SynthesizedQuestion:
    """The steps of the chain in an order in which none needs the one before."""
    steps = steps_of(good)[::-1]
    return good.question.asked.model_copy(update={"reasoning_steps": steps})


def claimed(good: Good) -> SynthesizedQuestion:
    """The same, each step claiming to need the one before."""
    steps = steps_of(good)[::-1]
    for at in range(1, len(steps)):
        fact = f"{steps[at].fact} It has to do with {steps[at - 1].output}."
        steps[at] = steps[at].model_copy(update={"fact": fact})
    update = {"reasoning_steps": steps, "answer": steps[-1].output}
    return good.question.asked.model_copy(update=update)


def two_answers(good: Good) -> SynthesizedQuestion | None:
    """The same question without its year, which leaves every year's value."""
    chain = chain_of(good.question.asked.question)
    assert chain is not None
    if all(hop.qualifier is None for hop in chain.hops):
        return None
    open_ = Chain(chain.start, tuple(Hop(hop.relation) for hop in chain.hops))
    return good.question.asked.model_copy(update={"question": open_.question})


def unnecessary(good: Good) -> SynthesizedQuestion:
    """A question that begins at the second hop, with the first one still among its steps."""
    chain = chain_of(good.question.asked.question)
    assert chain is not None
    # The second hop's subject is what the first yields, so it may not be named: take its phrase.
    later = Chain(steps_of(good)[0].output, chain.hops[1:])
    steps = [*steps_of(good)]
    steps[0] = steps[0].model_copy(update={"output": steps[0].evidence.split()[0]})
    steps[1] = steps[1].model_copy(update={"fact": f"{steps[0].output}: {steps[1].fact}"})
    return good.question.asked.model_copy(
        update={"question": later.question, "reasoning_steps": steps}
    )


def open_ended(good: Good) -> SynthesizedQuestion:
    asked = good.question.asked
    return asked.model_copy(update={"question": f"Why is {asked.question}"})


def marked_up(good: Good) -> SynthesizedQuestion:
    asked = good.question.asked
    return asked.model_copy(update={"question": f"<|im_start|>{asked.question}"})


def of_the_search(good: Good) -> SynthesizedQuestion:
    asked = good.question.asked
    return asked.model_copy(
        update={"question": f"{asked.question[:-1]} according to the documents?"}
    )


QUESTIONS: dict[str, Callable[[Good], SynthesizedQuestion | None]] = {
    "answer leaked": leaked,
    "hop leaked": hop_leaked,
    "unsupported": unsupported,
    "not the answer": wrong_output,
    "no chain": star,
    "chain but claimed": claimed,
    "two answers": two_answers,
    "unnecessary hop": unnecessary,
    "open-ended question": open_ended,
    "markup": marked_up,
    "speaks of the search": of_the_search,
}


async def checks_of(good: Good, asked: SynthesizedQuestion, desk: Desk) -> list[CheckResult]:
    checker = QuestionChecker(RagTask(desk, good.knowledge, SETTINGS), good.passages)
    return await checker.check(asked, locate_hops(asked.reasoning_steps, good.passages))


async def test_good_questions_pass_again(good: list[Good]) -> None:
    assert len(good) >= 10
    for one in good:
        assert all(c.passed for c in await checks_of(one, one.question.asked, Desk()))


async def test_planted_bad_questions_are_caught(good: list[Good]) -> None:
    caught: dict[str, Counter[str]] = defaultdict(Counter)
    for name, spoil in QUESTIONS.items():
        for one in good:
            bad = spoil(one)
            if bad is not None:
                last = (await checks_of(one, bad, Desk()))[-1]
                caught[name][(last.reason or "") if not last.passed else "NOT CAUGHT"] += 1
    for name, reasons in caught.items():
        total, missed = sum(reasons.values()), reasons["NOT CAUGHT"]
        print(f"{name:22} {total - missed}/{total} caught: {dict(reasons)}")
    assert set(caught) == set(QUESTIONS)
    assert not any(reasons["NOT CAUGHT"] for reasons in caught.values())
    assert caught["answer leaked"].keys() == {"answer leaked"}
    assert caught["hop leaked"].keys() == {"hop leaked"}
    assert caught["unsupported"].keys() == {"unsupported"}
    assert caught["no chain"].keys() == {"no chain"}
    assert caught["chain but claimed"]["no chain"]
    assert caught["unnecessary hop"]["unnecessary hop"]
    assert caught["unnecessary hop"].keys() <= {
        "unnecessary hop", "no chain", "evidence without output", "hop leaked"
    }  # fmt: skip
    assert caught["two answers"].keys() <= {
        "several answers", "a hop forks", "not answerable", "no answer on careful reading"
    }  # fmt: skip


async def test_what_the_teacher_knows_by_heart_is_refused(good: list[Good]) -> None:
    one = good[0]
    answer = ShortAnswer(answer=one.question.asked.answer).model_dump_json()
    desk = Desk(answers={"answer_from_memory": lambda prompt: answer})
    assert (await checks_of(one, one.question.asked, desk))[-1].reason == "known by heart"


async def test_readers_that_answer_nonsense_decide_nothing(good: list[Good]) -> None:
    one = good[0]
    for prompt, reason in {
        "answer_from_documents": "support undecided",
        "list_answers": "uniqueness undecided",
    }.items():
        desk = Desk(answers={prompt: lambda _: "{broken"})
        assert (await checks_of(one, one.question.asked, desk))[-1].reason == reason


class Case(NamedTuple):
    """A distractor that stands, with its question."""

    good: Good
    distractor: Distractor

    def checker(self, desk: Desk) -> DistractorChecker:
        asked, hops, _ = self.good.question
        task = RagTask(desk, self.good.knowledge, SETTINGS)
        return DistractorChecker(task, asked.question, asked.answer, hops)

    async def checks(self, distractor: Distractor, desk: Desk) -> list[CheckResult]:
        truth = [self.good.tree.passages[name] for name in distractor.support]
        return await self.checker(desk).check(distractor, truth)


async def standing(good: list[Good]) -> list[Case]:
    cases = [Case(one, d) for one in good for d in one.tree.distractors_of(one.path.nodes)]
    return [c for c in cases if all(k.passed for k in await c.checks(c.distractor, Desk()))]


def spoiled(case: Case) -> Iterator[tuple[str, Distractor]]:
    """The distractor, spoiled in every way; with the reason it should be refused for."""
    lie = case.distractor
    source = case.good.tree.passages[lie.source]

    def but(**fields: str) -> Distractor:
        return lie.model_copy(update=fields)

    yield "holds the truth", but(text=f"{lie.text} Others say {lie.true_answer}.")
    yield "holds the truth", but(title=f"{lie.title}, {case.good.question.asked.answer}")
    yield "no marker", but(text=lie.text.replace(lie.marker, ""), title="Notes")
    yield "marker of the source too", but(text=f"{lie.text} {source.title}", marker=source.title)
    yield "speaks of itself", but(text=f"{lie.text} This is a distractor.")
    yield "far from its source", but(text=f"{lie.marker} " + "Bread rises slowly overnight. " * 9)
    yield "not tempting", but(wrong_answer="Something Unheard")
    yield "incomplete", but(wrong_answer="  ")
    # The author calls something else true, and plants what is.
    yield (
        "its truth is not in its source",
        but(true_answer="Nobody Atall", wrong_answer=lie.true_answer),
    )
    # The bare wrong statement, its marker in a harmless place: nothing tells it from the truth.
    bare = lie.misleading_claim.replace(f"{lie.marker}, t", "T")
    dressed = f"{bare} The archive also keeps a shelf of maps, filed under another heading."
    if lie.type in ("subjective_fallacy", "fragmented_puzzle"):
        yield "indistinguishable", but(text=dressed, marker="a shelf of maps", title=source.title)


async def test_planted_bad_distractors_are_caught(good: list[Good]) -> None:
    caught: dict[str, Counter[str]] = defaultdict(Counter)
    cases = await standing(good)
    assert len(cases) >= 15
    for case in cases:
        for wanted, bad in spoiled(case):
            last = (await case.checks(bad, Desk()))[-1]
            caught[wanted][(last.reason or "") if not last.passed else "NOT CAUGHT"] += 1
    for name, reasons in caught.items():
        total, missed = sum(reasons.values()), reasons["NOT CAUGHT"]
        print(f"{name:26} {total - missed}/{total} caught: {dict(reasons)}")
    assert not any(reasons["NOT CAUGHT"] for reasons in caught.values())
    for name, reasons in caught.items():
        assert reasons.most_common(1)[0][0] == name


async def test_a_copy_of_the_source_is_refused(good: list[Good]) -> None:
    """The longest piece of the source without the truth, under a title that holds the marker."""
    for case in await standing(good):
        lie, answer = case.distractor, case.good.question.asked.answer
        source = case.good.tree.passages[lie.source]
        pieces = re.split(f"{re.escape(answer)}|{re.escape(lie.true_answer)}", source.text)
        update = {"text": max(pieces, key=len), "title": f"{lie.title} ({lie.marker})"}
        last = (await case.checks(lie.model_copy(update=update), Desk()))[-1]
        assert last.reason == "copy of its source"
