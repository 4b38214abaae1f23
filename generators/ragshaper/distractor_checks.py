"""What a distractor must withstand before it may enter K~: checks of ours, which the paper lacks.

(a) it can be told from the truth by its marker, (b) it holds neither the answer nor what its fact
truly says, (c) the retriever finds it for the question or a hop's query, (d) a reader who sees it
alone gives the planted wrong answer, (e) it is near its source, yet no copy of it.
"""

from collections.abc import Sequence
from functools import partial

from rapidfuzz import fuzz

from synthmill.generators.base import Context
from synthmill.generators.ragshaper.checking import READING, Fault, Outcome, Reader, run_checks
from synthmill.generators.ragshaper.library import Library
from synthmill.generators.ragshaper.prompts.distract import TellApart
from synthmill.generators.ragshaper.records import Check, Distractor, HopRecord
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.retrieval.bm25 import words
from synthmill.rewards.squad import mentions, normalize_squad, token_f1
from synthmill.sources.documents.document import Passage
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

# A document that speaks of itself as a trap teaches nothing.
CONFESSIONS = ("distractor", "misleading", "gold answer", "wrong answer", "careless reader")


class DistractorChecker:
    """Checks the distractors of one question."""

    def __init__(
        self,
        context: Context,
        library: Library,
        settings: RagShaperSettings,
        question: str,
        answer: str,
        hops: Sequence[HopRecord],
        purpose: str,
    ) -> None:
        self._context = context
        self._library = library
        self._settings = settings
        self._question = question
        self._answer = answer
        self._hops = hops
        self._purpose = purpose

    async def check(self, distractor: Distractor, truth: Sequence[Passage]) -> list[Check]:
        """The checks in order of their cost, up to the first that fails.

        `truth` are the passages on which the truth rests, the distractor's source first.
        """
        source = truth[0]
        checks = [
            ("complete", partial(self._complete, distractor, truth)),
            ("marked", partial(self._marked, distractor, source)),
            ("free of the truth", partial(self._false, distractor)),
            ("near its source", partial(self._near, distractor, truth)),
            ("retrievable", partial(self._retrievable, distractor)),
        ]
        if self._settings.distractors.ask_models:
            checks += [
                ("tempting", partial(self._tempting, distractor)),
                ("distinguishable", partial(self._distinguishable, distractor, truth)),
            ]
        return await run_checks(checks)

    async def _complete(self, distractor: Distractor, truth: Sequence[Passage]) -> Outcome:
        """Nothing is missing, it does not speak of itself, and what it calls true is.

        The next checks trust `true_answer`: were it made up, the truth itself might be planted.
        """
        needed = (distractor.text, distractor.wrong_answer, distractor.question)
        if not all(normalize_squad(text) for text in (*needed, distractor.true_answer)):
            return Fault("incomplete")
        if not any(mentions(f"{p.title}\n{p.text}", distractor.true_answer) for p in truth):
            return Fault("its truth is not in its source", distractor.true_answer)
        own = f"{distractor.title}\n{distractor.text}".casefold()
        told = next((word for word in CONFESSIONS if word in own), None)
        return Fault("speaks of itself", told) if told else None

    async def _marked(self, distractor: Distractor, source: Passage) -> Outcome:
        """(a), by rule: the marker stands in it and not in its source."""
        own = f"{distractor.title}\n{distractor.text}"
        if not mentions(own, distractor.marker):
            return Fault("no marker", f"{distractor.marker!r} does not stand in it")
        if mentions(f"{source.title}\n{source.text}", distractor.marker):
            return Fault("marker of the source too", distractor.marker)
        return None

    async def _false(self, distractor: Distractor) -> Outcome:
        """(b): neither the question's answer nor the fact's stands in it, nor is planted."""
        own = f"{distractor.title}\n{distractor.text}"
        for truth in (self._answer, distractor.true_answer):
            if mentions(own, truth) or mentions(distractor.wrong_answer, truth):
                return Fault("holds the truth", truth)
        return None

    async def _near(self, distractor: Distractor, truth: Sequence[Passage]) -> Outcome:
        """(e): shares words with what it stands against, without being a copy of a part of it."""
        settings = self._settings.distractors
        own = set(words(distractor.text))
        shared = max(len(own & set(words(f"{p.title} {p.text}"))) for p in truth) / max(1, len(own))
        if shared < settings.near:
            return Fault("far from its source", f"{shared:.2f} of its words")
        alike = max(fuzz.partial_ratio(distractor.text, p.text) for p in truth)
        if alike > settings.duplicate or any(distractor.text in p.text for p in truth):
            return Fault("copy of its source", f"{alike:.0f} of 100")
        return None

    async def _retrievable(self, distractor: Distractor) -> Outcome:
        """(c): within the first k for the question, its own question, or a hop."""
        k = self._settings.retrieval.k
        for query in (distractor.question, self._question, *(hop.fact for hop in self._hops)):
            if await self._library.rank(query, distractor.title, distractor.text, k) is not None:
                return None
        return Fault("not retrievable", f"not among the first {k} for any query")

    async def _tempting(self, distractor: Distractor) -> Outcome:
        """(d): who reads it alone gives the planted answer."""
        reader = Reader(self._context, f"{self._purpose}/tempt/{distractor.id}")
        page = PromptDocument(distractor.title, distractor.text)
        said = await reader.answer(distractor.question, [page])
        if said is None:
            return Fault("temptation undecided")
        if token_f1(said, distractor.wrong_answer) < self._settings.distractors.tempting_f1:
            return Fault("not tempting", f"{said!r} instead of {distractor.wrong_answer!r}")
        return None

    async def _distinguishable(self, distractor: Distractor, truth: Sequence[Passage]) -> Outcome:
        """(a), by a judge: of the two sides, in drawn order, it picks the truth."""
        sides = (
            PromptDocuments(documents=tuple(PromptDocument(p.title, p.text) for p in truth)),
            PromptDocuments(documents=(PromptDocument(distractor.title, distractor.text),)),
        )
        swapped = self._context.rng(f"{self._purpose}/order/{distractor.id}").random() < 0.5
        first, second = reversed(sides) if swapped else sides
        reply = await self._context.generate(
            TellApart(question=neutralize_markup(distractor.question), first=first, second=second),
            purpose=f"{self._purpose}/apart/{distractor.id}",
            role="judge",
            sampling=READING,
        )
        if reply.value is None:
            return Fault("distinction undecided")
        right = "second" if swapped else "first"
        return (
            None if reply.value.choice == right else Fault("indistinguishable", reply.value.reason)
        )
