"""Planted bad questions and distractors are caught, each for its own reason; rates are printed."""

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from synthmill.filters.verifiers.prompts.reading import ShortAnswer
from synthmill.generators.ragshaper.distractors import distractor_row
from synthmill.generators.ragshaper.knowledge_base import KnowledgeBase
from synthmill.generators.ragshaper.offline.chains import Chain, Hop, chain_of
from synthmill.generators.ragshaper.prompts import ReasoningStep, SynthesizedQuestion
from synthmill.generators.ragshaper.questions import (
    JudgedQuestion,
    gather_evidence,
    locate_hops,
    synthesize_question,
)
from synthmill.generators.ragshaper.records import Distractor, TreeRecord
from synthmill.generators.ragshaper.rows import PathProvenance, question_row
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.task import RagTask
from synthmill.generators.ragshaper.tree import (
    InformationTree,
    InformationTreeBuilder,
    TreePath,
    select_paths,
)
from synthmill.generators.retrieval.calibration import Calibration
from synthmill.schemas.verdict import Verdict
from synthmill.sources.documents.passage import Passage
from tests.generators.ragshaper.offline_context import OfflineContext, knowledge_of, world_source

SETTINGS = RagShaperSettings.model_validate({"preset": "light"})
PROVENANCE = PathProvenance(
    corpus="c",
    calibration=Calibration(encoder="e", corpus="c", tau=0),
    tree=TreeRecord(seed="s", nodes=[]),
    path=[],
    keep_f1=0.9,
)


class Good(NamedTuple):
    """An accepted question, and what it was made from."""

    knowledge: KnowledgeBase
    tree: InformationTree
    path: TreePath
    question: JudgedQuestion

    @property
    def passages(self) -> list[Passage]:
        return self.tree.passages_of(self.path.nodes)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[Good]:
    return asyncio.run(_good(tmp_path_factory.mktemp("corpora")))


async def _good(cache: Path) -> list[Good]:
    knowledge, found = await knowledge_of(world_source(21)[0], cache), []
    for number in range(16):
        context = OfflineContext(number)
        task = RagTask(context, knowledge, SETTINGS)
        tree = await InformationTreeBuilder(task, knowledge.corpus[number * 5]).build()
        for path in select_paths(tree.nodes, 1, 0.7):
            question = await synthesize_question(task.scoped("path"), tree, path, PROVENANCE)
            if question.judged.accepted:
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


async def verdict_of(good: Good, asked: SynthesizedQuestion, context: OfflineContext) -> Verdict:
    """The last verdict on a question of the same path."""
    hops = locate_hops(asked.reasoning_steps, good.passages)
    task = RagTask(context, good.knowledge, SETTINGS)
    evidence = await gather_evidence(task, asked, hops, good.passages)
    row = question_row(PROVENANCE, hops, asked.negative_aspect, evidence)
    return (await context.verify(row)).verdicts[-1]


async def test_good_questions_pass_again(good: list[Good]) -> None:
    assert len(good) >= 10
    for one in good:
        last = await verdict_of(one, one.question.asked, OfflineContext())
        assert last.status == "skipped" and last.filter == "distractor_distinguishable"


async def test_planted_bad_questions_are_caught(good: list[Good]) -> None:
    caught: dict[str, Counter[str]] = defaultdict(Counter)
    for name, spoil in QUESTIONS.items():
        for one in good:
            bad = spoil(one)
            if bad is not None:
                last = await verdict_of(one, bad, OfflineContext())
                caught[name][(last.reason or "") if last.status == "fail" else "NOT CAUGHT"] += 1
    for name, reasons in caught.items():
        total, missed = sum(reasons.values()), reasons["NOT CAUGHT"]
        print(f"{name:22} {total - missed}/{total} caught: {dict(reasons)}")
    assert set(caught) == set(QUESTIONS)
    assert not any(reasons["NOT CAUGHT"] for reasons in caught.values())
    assert caught["answer leaked"].keys() == {"question contains the answer"}
    assert caught["hop leaked"].keys() == {"question mentions a step's value"}
    assert caught["unsupported"].keys() == {"unsupported hop"}
    assert caught["no chain"].keys() == {"no chain"}
    assert caught["chain but claimed"]["no chain"]
    assert caught["unnecessary hop"]["a quote is not needed"]
    assert caught["unnecessary hop"].keys() <= {
        "a quote is not needed",
        "no chain",
        "quote without its output",
        "question mentions a step's value",
    }
    assert caught["two answers"].keys() <= {
        "several answers",
        "a step allows several values",
        "answer does not follow",
        "no answer found",
    }


async def test_what_the_teacher_knows_by_heart_is_refused(good: list[Good]) -> None:
    one = good[0]
    answer = ShortAnswer(answer=one.question.asked.answer).model_dump_json()
    context = OfflineContext(answers={"answer_from_memory": lambda prompt: answer})
    last = await verdict_of(one, one.question.asked, context)
    assert (last.filter, last.reason) == ("closed_book", "known without evidence")


async def test_readers_that_answer_nonsense_decide_nothing(good: list[Good]) -> None:
    one = good[0]
    for prompt, name in {
        "answer_from_documents": "supported_by_quotes",
        "list_answers": "single_answer",
        "answer_from_memory": "closed_book",
    }.items():
        context = OfflineContext(answers={prompt: lambda _: "{broken"})
        last = await verdict_of(one, one.question.asked, context)
        assert (last.filter, last.status) == (name, "error")


class Case(NamedTuple):
    """An accepted distractor with its question."""

    good: Good
    distractor: Distractor

    async def verdict(self, distractor: Distractor, context: OfflineContext) -> Verdict:
        """The last verdict on a distractor of the same question."""
        truth = [self.good.tree.passages[name] for name in distractor.support]
        task = RagTask(context, self.good.knowledge, SETTINGS)
        row = await distractor_row(task, self.good.question.asked, distractor, truth)
        return (await context.verify(row)).verdicts[-1]


async def accepted(good: list[Good]) -> list[Case]:
    cases = [Case(one, d) for one in good for d in one.tree.distractors_of(one.path.nodes)]
    return [c for c in cases if (await c.verdict(c.distractor, OfflineContext())).status == "pass"]


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
    cases = await accepted(good)
    assert len(cases) >= 15
    for case in cases:
        for wanted, bad in spoiled(case):
            last = await case.verdict(bad, OfflineContext())
            caught[wanted][(last.reason or "") if last.status == "fail" else "NOT CAUGHT"] += 1
    for name, reasons in caught.items():
        total, missed = sum(reasons.values()), reasons["NOT CAUGHT"]
        print(f"{name:26} {total - missed}/{total} caught: {dict(reasons)}")
    assert not any(reasons["NOT CAUGHT"] for reasons in caught.values())
    for name, reasons in caught.items():
        assert reasons.most_common(1)[0][0] == name


async def test_a_copy_of_the_source_is_refused(good: list[Good]) -> None:
    """The longest piece of the source without the truth, under a title that holds the marker."""
    for case in await accepted(good):
        lie, answer = case.distractor, case.good.question.asked.answer
        source = case.good.tree.passages[lie.source]
        pieces = re.split(f"{re.escape(answer)}|{re.escape(lie.true_answer)}", source.text)
        update = {"text": max(pieces, key=len), "title": f"{lie.title} ({lie.marker})"}
        last = await case.verdict(lie.model_copy(update=update), OfflineContext())
        assert last.reason == "copy of its source"
