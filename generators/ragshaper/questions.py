"""Questions from tree paths: synthesis, and what a question must withstand.

The form follows paper and released code. All other checks are ours: its evidence is in the corpus,
each hop needs the one before, the answer follows from all of the evidence and not from less, it is
the only one, and the teacher does not know it by heart.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from synthmill.filters.verifiers.prompts.reading import AnswerFromMemory, ListAnswers
from synthmill.generators.ragshaper.checking import Outcome, run_checks
from synthmill.generators.ragshaper.prompts import (
    MisleadingDocument,
    ReasoningStep,
    SynthesizedQuestion,
    SynthesizeQuestion,
)
from synthmill.generators.ragshaper.records import (
    CheckFailure,
    CheckResult,
    Distractor,
    HopRecord,
)
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.task import RagTask, quotable, quote_in
from synthmill.generators.ragshaper.tree import InformationTree, TreePath
from synthmill.models.request import Sampling
from synthmill.rewards.squad import mentions, normalize_squad, token_f1
from synthmill.sources.documents.document import Passage
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

EMPTY = SynthesizedQuestion(question="", answer="", reasoning_steps=[])

_COUNTS = r"(?! (?:many|much|long|old|tall|far|heavy))"
_OPEN_ENDED = re.compile(rf"^\W*(?:how{_COUNTS}|why|describe|explain)\b", re.I)
_SPEAKS_OF_SEARCH = re.compile(
    r"\b(?:search(?:es|ed)?|retriev\w+|trajectory|knowledge base|the (?:passage|document)s?)\b",
    re.I,
)
_NUMBERS = re.compile(r"\d+")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")


class CheckedQuestion(NamedTuple):
    """A question with its located hops and its checks."""

    asked: SynthesizedQuestion
    hops: list[HopRecord]
    checks: list[CheckResult]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


async def synthesize_question(
    task: RagTask, tree: InformationTree, path: TreePath
) -> CheckedQuestion:
    """The question of a path: the first attempt that passes, else the last one.

    A new attempt gets the reason why the last one failed, and a higher temperature.
    """
    passages = tree.passages_of(path.nodes)
    checker = QuestionChecker(task, passages)
    prompt = _prompt(task.settings, tree, path)
    question = CheckedQuestion(EMPTY, [], [])
    for attempt in range(task.settings.questions.attempts):
        reply = await task.context.generate(
            prompt,
            purpose=f"ask/{attempt}",
            role="author",
            sampling=_sampling(task.settings, attempt),
        )
        if reply.value is None:
            failed = CheckResult(
                name="form", passed=False, reason="malformed", detail=reply.malformed
            )
            question = CheckedQuestion(EMPTY, [], [failed])
        else:
            hops = locate_hops(reply.value.reasoning_steps, passages)
            question = CheckedQuestion(reply.value, hops, await checker.check(reply.value, hops))
        if question.passed:
            return question
        last = question.checks[-1]
        failure = f"{last.reason}: {last.detail}" if last.detail else str(last.reason)
        prompt = prompt.model_copy(update={"failure": neutralize_markup(failure)})
    return question


def _prompt(
    settings: RagShaperSettings, tree: InformationTree, path: TreePath
) -> SynthesizeQuestion:
    return SynthesizeQuestion(
        steps=tree.explored(path.nodes, settings.questions.observation_chars),
        misleading=tuple(_misleading(d) for d in tree.distractors_of(path.nodes)),
        min_hops=settings.questions.min_hops,
        max_sentences=settings.questions.max_sentences,
    )


def _misleading(distractor: Distractor) -> MisleadingDocument:
    return MisleadingDocument(
        kind=distractor.type,
        document=PromptDocuments(documents=(PromptDocument(distractor.title, distractor.text),)),
        fact=neutralize_markup(distractor.fact),
        claim=neutralize_markup(distractor.misleading_claim),
        marker=neutralize_markup(distractor.marker),
    )


def _sampling(settings: RagShaperSettings, attempt: int) -> Sampling:
    questions = settings.questions
    temperature = questions.temperature + questions.temperature_step * attempt
    return Sampling(temperature=min(2.0, temperature), top_p=1.0, max_tokens=4096)


def locate_hops(steps: Sequence[ReasoningStep], passages: Sequence[Passage]) -> list[HopRecord]:
    """The reasoning steps, each with the passage and offsets of its evidence where it is found."""
    return [_located(number, step, passages) for number, step in enumerate(steps, 1)]


def _located(number: int, step: ReasoningStep, passages: Sequence[Passage]) -> HopRecord:
    for passage in passages:
        span = quote_in(step.evidence, passage.text)
        if span is not None:
            return HopRecord(
                hop=number,
                fact=step.fact,
                evidence=passage.text[slice(*span)],
                output=step.output,
                passage=passage.id,
                source=passage.origin_of(*span),
            )
    return HopRecord(hop=number, fact=step.fact, evidence=step.evidence, output=step.output)


class QuestionChecker:
    """Checks one question against the passages of its path."""

    def __init__(self, task: RagTask, passages: Sequence[Passage]) -> None:
        self._task = task
        self._settings = task.settings.questions
        self._passages = {passage.id: passage for passage in passages}

    async def check(
        self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]
    ) -> list[CheckResult]:
        """The checks, rules before models, up to the first that fails."""
        checks = [
            ("form", partial(self._form, asked)),
            ("answer kept back", partial(self._answer_hidden, asked)),
            ("hops kept back", partial(self._hops_hidden, asked, hops)),
            ("evidence found", partial(self._supported, hops)),
            ("chained", partial(self._chained, asked, hops)),
        ]
        if self._settings.ask_models:
            checks += [
                ("answerable", partial(self._answerable, asked, hops)),
                ("every hop needed", partial(self._hops_needed, asked, hops)),
                ("one answer", partial(self._single_answer, asked, hops)),
                ("not known by heart", partial(self._not_known, asked)),
            ]
        return await run_checks(checks)

    async def _form(self, asked: SynthesizedQuestion) -> Outcome:
        settings, question = self._settings, asked.question
        if not question.strip() or not normalize_squad(asked.answer):
            return CheckFailure("no question or answer")
        if len(question.split()) > settings.max_words or len(question) > settings.max_chars:
            return CheckFailure("question too long")
        if len(_SENTENCE_END.findall(question)) > settings.max_sentences:
            return CheckFailure("too many sentences")
        if _OPEN_ENDED.match(question):
            return CheckFailure("open-ended question")
        if any(neutralize_markup(text) != text for text in (question, asked.answer)):
            return CheckFailure("markup in it")
        if _SPEAKS_OF_SEARCH.search(question):
            return CheckFailure("speaks of the search")
        if len(asked.reasoning_steps) < settings.min_hops:
            return CheckFailure("too few hops", f"{len(asked.reasoning_steps)}")
        return None

    async def _answer_hidden(self, asked: SynthesizedQuestion) -> Outcome:
        """The released code's rule (answer as a substring of the question), and as words."""
        answer, question = (" ".join(t.lower().split()) for t in (asked.answer, asked.question))
        if answer in question or mentions(asked.question, asked.answer):
            return CheckFailure("answer leaked", asked.answer)
        return None

    async def _hops_hidden(self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Outcome:
        leaked = next((h.output for h in hops[:-1] if mentions(asked.question, h.output)), None)
        return CheckFailure("hop leaked", leaked) if leaked else None

    async def _supported(self, hops: Sequence[HopRecord]) -> Outcome:
        for hop in hops:
            if hop.passage is None:
                detail = f"hop {hop.hop}: no passage holds {hop.evidence!r}"
                return CheckFailure("unsupported", detail)
            if not mentions(hop.evidence, hop.output):
                return CheckFailure("evidence without output", f"hop {hop.hop}: {hop.output!r}")
        return None

    async def _chained(self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Outcome:
        """Each hop mentions the output of the hop before; the last one's output is the answer.

        Its passage must mention it too: `fact` is the author's own wording, and may claim any link.
        """
        for before, hop in pairwise(hops):
            page = self._passages[hop.passage] if hop.passage else None
            title, text = (page.title, page.text) if page else ("", "")
            # A dotted name of code may be mentioned by its last part.
            name = before.output.rpartition(".")[2].strip() or before.output
            claimed = mentions(f"{hop.fact}\n{hop.evidence}\n{title}", before.output)
            if not claimed or not mentions(f"{title}\n{text}", name):
                return CheckFailure("no chain", f"hop {hop.hop} does not need {before.output!r}")
        if token_f1(hops[-1].output, asked.answer) < self._settings.answer_f1:
            return CheckFailure("answer is not the last hop's", f"{hops[-1].output!r}")
        return None

    async def _answerable(self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Outcome:
        said = await self._read(asked, self._evidence(hops), "all")
        if said is None:
            return CheckFailure("support undecided")
        return None if self._right(asked, said) else CheckFailure("not answerable", f"{said!r}")

    async def _hops_needed(self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Outcome:
        """Without the passage of any one hop, the answer no longer follows."""
        for left_out in dict.fromkeys(hop.passage for hop in hops):
            rest = [p for p in self._evidence(hops) if p.id != left_out]
            said = await self._read(asked, rest, f"without/{left_out}")
            if said is None:
                return CheckFailure("need of a hop undecided")
            if self._right(asked, said):
                hop = next(hop.hop for hop in hops if hop.passage == left_out)
                return CheckFailure("unnecessary hop", f"hop {hop}")
        return None

    async def _single_answer(
        self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]
    ) -> Outcome:
        """No other answer in the evidence and in what the retriever finds around it."""
        passages = {p.id: p for p in self._evidence(hops)}
        k = self._task.settings.retrieval.k
        for query in _queries(asked, hops):
            hits = await self._task.knowledge.search(query, k)
            passages |= {hit.passage.id: hit.passage for hit in hits}
        shown = quotable(list(passages.values())[: self._settings.unique_documents])
        listed = await self._task.generate(
            ListAnswers(question=asked.question, documents=PromptDocuments(documents=shown)),
            purpose="unique",
            role="judge",
        )
        if listed is None:
            return CheckFailure("uniqueness undecided")
        others = [a for a in listed.answers if not self._right(asked, a)]
        if others:
            return CheckFailure("several answers", "; ".join(others))
        if len(listed.forks) > 1:
            return CheckFailure("a hop forks", "; ".join(listed.forks))
        return None if listed.answers else CheckFailure("no answer on careful reading")

    async def _not_known(self, asked: SynthesizedQuestion) -> Outcome:
        reply = await self._task.generate(
            AnswerFromMemory(question=asked.question), purpose="alone", role="teacher"
        )
        if reply is not None and self._right(asked, reply.answer):
            return CheckFailure("known by heart")
        return None

    def _evidence(self, hops: Sequence[HopRecord]) -> list[Passage]:
        names = dict.fromkeys(hop.passage for hop in hops if hop.passage)
        return [self._passages[name] for name in names]

    def _right(self, asked: SynthesizedQuestion, said: str) -> bool:
        return token_f1(said, asked.answer) >= self._settings.answer_f1

    async def _read(
        self, asked: SynthesizedQuestion, passages: Sequence[Passage], name: str
    ) -> str | None:
        return await self._task.read(asked.question, quotable(passages), purpose=f"read/{name}")


def _queries(asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Iterator[str]:
    """Queries that would find other answers: each hop, and each for any year or edition."""
    for hop in reversed(hops):
        subject = hop.evidence.replace(hop.output, " ")
        yield _NUMBERS.sub(" ", subject)
        yield hop.fact
    yield asked.question
