"""What a question must withstand. The form: rules of paper and released code. The rest is ours.

Its evidence stands in the corpus, its hops hang together, the answer follows from all of them and
not from fewer, the teacher does not know it by heart, and there is no second one.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

from synthmill.generators.base import Context
from synthmill.generators.ragshaper.checking import (
    READING,
    Fault,
    Outcome,
    Reader,
    quote_in,
    run_checks,
)
from synthmill.generators.ragshaper.library import Library
from synthmill.generators.ragshaper.prompts.question import ReasoningStep, SynthesizedQuestion
from synthmill.generators.ragshaper.prompts.reading import AllAnswers, AnswerAlone
from synthmill.generators.ragshaper.records import Check, HopRecord
from synthmill.generators.ragshaper.settings import QuestionSettings
from synthmill.rewards.squad import mentions, normalize_squad, token_f1
from synthmill.sources.documents.document import Passage
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

_COUNTS = r"(?! (?:many|much|long|old|tall|far|heavy))"
_OPEN_ENDED = re.compile(rf"^\W*(?:how{_COUNTS}|why|describe|explain)\b", re.I)
_TALKS_OF_SEARCH = re.compile(
    r"\b(?:search(?:es|ed)?|retriev\w+|trajectory|knowledge base|the (?:passage|document)s?)\b",
    re.I,
)
_NUMBERS = re.compile(r"\d+")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")


def located(steps: Sequence[ReasoningStep], passages: Sequence[Passage]) -> list[HopRecord]:
    """The reasoning steps, each with the passage and offsets where its evidence stands."""
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

    def __init__(
        self,
        context: Context,
        library: Library,
        settings: QuestionSettings,
        passages: Sequence[Passage],
        k: int,
        purpose: str,
    ) -> None:
        self._context = context
        self._library = library
        self._settings = settings
        self._passages = {passage.id: passage for passage in passages}
        self._k = k
        self._purpose = purpose

    async def check(self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> list[Check]:
        """The checks, rules before models, up to the first that fails."""
        checks = [
            ("form", partial(self._form, asked)),
            ("answer kept back", partial(self._closed, asked)),
            ("hops kept back", partial(self._hops_closed, asked, hops)),
            ("evidence found", partial(self._supported, hops)),
            ("chained", partial(self._chained, asked, hops)),
        ]
        if self._settings.ask_models:
            checks += [
                ("answerable", partial(self._answerable, asked, hops)),
                ("every hop needed", partial(self._needed, asked, hops)),
                ("one answer", partial(self._unique, asked, hops)),
                ("not known by heart", partial(self._unknown, asked)),
            ]
        return await run_checks(checks)

    async def _form(self, asked: SynthesizedQuestion) -> Outcome:
        settings, question = self._settings, asked.question
        if not question.strip() or not normalize_squad(asked.answer):
            return Fault("no question or answer")
        if len(question.split()) > settings.max_words or len(question) > settings.max_chars:
            return Fault("question too long")
        if len(_SENTENCE_END.findall(question)) > settings.max_sentences:
            return Fault("too many sentences")
        if _OPEN_ENDED.match(question):
            return Fault("open-ended question")
        if any(neutralize_markup(text) != text for text in (question, asked.answer)):
            return Fault("markup in it")
        if _TALKS_OF_SEARCH.search(question):
            return Fault("speaks of the search")
        if len(asked.reasoning_steps) < settings.min_hops:
            return Fault("too few hops", f"{len(asked.reasoning_steps)}")
        return None

    async def _closed(self, asked: SynthesizedQuestion) -> Outcome:
        """The released code's rule (answer as part of the question's text), and as words."""
        answer, question = (" ".join(t.lower().split()) for t in (asked.answer, asked.question))
        if answer in question or mentions(asked.question, asked.answer):
            return Fault("answer leaked", asked.answer)
        return None

    async def _hops_closed(self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Outcome:
        leaked = next((h.output for h in hops[:-1] if mentions(asked.question, h.output)), None)
        return Fault("hop leaked", leaked) if leaked else None

    async def _supported(self, hops: Sequence[HopRecord]) -> Outcome:
        for hop in hops:
            if hop.passage is None:
                return Fault("unsupported", f"hop {hop.hop}: no passage holds {hop.evidence!r}")
            if not mentions(hop.evidence, hop.output):
                return Fault("evidence without output", f"hop {hop.hop}: {hop.output!r}")
        return None

    async def _chained(self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Outcome:
        """Each hop speaks of what the hop before yielded; the last yields the answer.

        Its document must do so too: `fact` is the author's own wording, and may claim any link.
        """
        for before, hop in pairwise(hops):
            page = self._passages[hop.passage] if hop.passage else None
            title, text = (page.title, page.text) if page else ("", "")
            name = before.output.rpartition(".")[2].strip() or before.output  # of code: its last
            claimed = mentions(f"{hop.fact}\n{hop.evidence}\n{title}", before.output)
            if not claimed or not mentions(f"{title}\n{text}", name):
                return Fault("no chain", f"hop {hop.hop} does not build on {before.output!r}")
        if token_f1(hops[-1].output, asked.answer) < self._settings.answer_f1:
            return Fault("answer is not the last hop's", f"{hops[-1].output!r}")
        return None

    async def _answerable(self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Outcome:
        said = await self._read(asked, self._evidence(hops), "all")
        if said is None:
            return Fault("support undecided")
        return None if self._right(asked, said) else Fault("not answerable", f"{said!r}")

    async def _needed(self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Outcome:
        """Without any one hop's document the answer no longer follows."""
        for left_out in dict.fromkeys(hop.passage for hop in hops):
            rest = [p for p in self._evidence(hops) if p.id != left_out]
            said = await self._read(asked, rest, f"without/{left_out}")
            if said is None:
                return Fault("need of a hop undecided")
            if self._right(asked, said):
                hop = next(hop.hop for hop in hops if hop.passage == left_out)
                return Fault("unnecessary hop", f"hop {hop}")
        return None

    async def _unique(self, asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Outcome:
        """No other answer among the evidence and what the retriever finds around it."""
        around = {p.id: p for p in self._evidence(hops)}
        for query in _around(asked, hops):
            around |= {f.passage.id: f.passage for f in await self._library.search(query, self._k)}
        pages = [_page(p) for p in list(around.values())[: self._settings.unique_documents]]
        reply = await self._context.generate(
            AllAnswers(question=asked.question, documents=PromptDocuments(documents=tuple(pages))),
            purpose=f"{self._purpose}/unique",
            role="judge",
            sampling=READING,
        )
        if reply.value is None:
            return Fault("uniqueness undecided")
        others = [a for a in reply.value.answers if not self._right(asked, a)]
        if others:
            return Fault("several answers", "; ".join(others))
        if len(reply.value.forks) > 1:
            return Fault("a hop forks", "; ".join(reply.value.forks))
        return None if reply.value.answers else Fault("no answer on reading with care")

    async def _unknown(self, asked: SynthesizedQuestion) -> Outcome:
        reply = await self._context.generate(
            AnswerAlone(question=asked.question),
            purpose=f"{self._purpose}/alone",
            role="teacher",
            sampling=READING,
        )
        if reply.value is not None and self._right(asked, reply.value.answer):
            return Fault("known by heart")
        return None

    def _evidence(self, hops: Sequence[HopRecord]) -> list[Passage]:
        names = dict.fromkeys(hop.passage for hop in hops if hop.passage)
        return [self._passages[name] for name in names]

    def _right(self, asked: SynthesizedQuestion, said: str) -> bool:
        return token_f1(said, asked.answer) >= self._settings.answer_f1

    async def _read(
        self, asked: SynthesizedQuestion, passages: Sequence[Passage], which: str
    ) -> str | None:
        reader = Reader(self._context, f"{self._purpose}/read/{which}")
        return await reader.answer(asked.question, [_page(p) for p in passages])


def _around(asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Iterator[str]:
    """Queries that would find other answers: each hop as asked, and for any year or edition."""
    for hop in reversed(hops):
        subject = hop.evidence.replace(hop.output, " ")
        yield _NUMBERS.sub(" ", subject)
        yield hop.fact
    yield asked.question


def _page(passage: Passage) -> PromptDocument:
    return PromptDocument(passage.title, passage.text)
