"""Writing distractors, and the checks that admit one to K~. The paper checks none: these are ours.

(a) it can be distinguished from the truth by its marker, (b) it holds neither the answer nor what
its fact truly says, (c) the retriever finds it for the question or the query of a hop, (d) a reader
of it alone gives the planted wrong answer, (e) it is close to its source, yet no copy of it.
"""

from collections.abc import Sequence
from functools import partial

from rapidfuzz import fuzz

from synthmill.generators.ragshaper.checking import Outcome, run_checks
from synthmill.generators.ragshaper.prompts import (
    MAX_DOCUMENTS,
    TellApart,
    WriteDistractors,
    WrittenDistractors,
)
from synthmill.generators.ragshaper.records import (
    TAXONOMY,
    CheckFailure,
    CheckResult,
    Distractor,
    DistractorType,
    HopRecord,
)
from synthmill.generators.ragshaper.task import RagTask, quotable
from synthmill.generators.retrieval.bm25 import words
from synthmill.rewards.squad import mentions, normalize_squad, token_f1
from synthmill.schemas.identity import sha256_text
from synthmill.sources.documents.document import Passage
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

# A document that speaks of itself as a trap teaches nothing.
SELF_REFERENCES = ("distractor", "misleading", "gold answer", "wrong answer", "careless reader")


async def write_distractors(
    task: RagTask,
    fact: str,
    types: Sequence[DistractorType],
    source: Passage,
    nearby: Sequence[Passage],
    node: int,
) -> list[Distractor]:
    """Distractors of each type about a fact, a quote of `source`; `nearby` led to it."""
    written: list[Distractor] = []
    for kind in dict.fromkeys(types):
        prompt = WriteDistractors(
            fact=fact,
            kind=kind,
            guideline=TAXONOMY[kind].guideline,
            source=PromptDocuments(documents=quotable([source])),
            context=PromptDocuments(documents=quotable([p for p in nearby if p.id != source.id])),
        )
        answer = await task.generate(
            prompt,
            purpose=f"distract/{node}/{kind}",
            role="curator",
            sampling=task.settings.tree.sampling,
        )
        if answer is not None:
            support = [source, *nearby] if kind == "false_shortcut" else [source]
            written += _distractors(answer, kind, fact, support, node)
    return written


def _distractors(
    written: WrittenDistractors,
    kind: DistractorType,
    fact: str,
    support: Sequence[Passage],
    node: int,
) -> list[Distractor]:
    return [
        Distractor(
            id=sha256_text(f"{node}\n{number}\n{document.title}\n{document.text}")[:16],
            type=kind,
            title=document.title,
            text=document.text,
            marker=document.marker,
            misleading_claim=document.misleading_claim,
            question=written.question,
            true_answer=written.true_answer,
            wrong_answer=document.wrong_answer,
            fact=fact,
            source=support[0].id,
            support=list(dict.fromkeys(passage.id for passage in support)),
            node=node,
        )
        for number, document in enumerate(written.documents[:MAX_DOCUMENTS])
    ]


class DistractorChecker:
    """Checks the distractors of one question."""

    def __init__(
        self, task: RagTask, question: str, answer: str, hops: Sequence[HopRecord]
    ) -> None:
        self._task = task
        self._settings = task.settings.distractors
        self._question = question
        self._answer = answer
        self._hops = hops

    async def check(self, distractor: Distractor, truth: Sequence[Passage]) -> list[CheckResult]:
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
        if self._settings.ask_models:
            checks += [
                ("tempting", partial(self._tempting, distractor)),
                ("distinguishable", partial(self._distinguishable, distractor, truth)),
            ]
        return await run_checks(checks)

    async def _complete(self, distractor: Distractor, truth: Sequence[Passage]) -> Outcome:
        """No field is empty, it does not speak of itself, and its true answer is in its source.

        The next checks trust `true_answer`: if it were invented, the truth itself could be planted.
        """
        needed = (distractor.text, distractor.wrong_answer, distractor.question)
        if not all(normalize_squad(text) for text in (*needed, distractor.true_answer)):
            return CheckFailure("incomplete")
        if not any(mentions(f"{p.title}\n{p.text}", distractor.true_answer) for p in truth):
            return CheckFailure("its truth is not in its source", distractor.true_answer)
        text = distractor.full_text.casefold()
        found = next((phrase for phrase in SELF_REFERENCES if phrase in text), None)
        return CheckFailure("speaks of itself", found) if found else None

    async def _marked(self, distractor: Distractor, source: Passage) -> Outcome:
        """(a), by rule: the marker is in it and not in its source."""
        if not mentions(distractor.full_text, distractor.marker):
            return CheckFailure("no marker", f"{distractor.marker!r} is not in it")
        if mentions(f"{source.title}\n{source.text}", distractor.marker):
            return CheckFailure("marker of the source too", distractor.marker)
        return None

    async def _false(self, distractor: Distractor) -> Outcome:
        """(b): neither the question's answer nor the fact's is in it, or is the planted answer."""
        for truth in (self._answer, distractor.true_answer):
            if mentions(distractor.full_text, truth) or mentions(distractor.wrong_answer, truth):
                return CheckFailure("holds the truth", truth)
        return None

    async def _near(self, distractor: Distractor, truth: Sequence[Passage]) -> Outcome:
        """(e): it shares words with a passage of the truth, and copies no part of one."""
        own = set(words(distractor.text))
        shared = max(len(own & set(words(f"{p.title} {p.text}"))) for p in truth) / max(1, len(own))
        if shared < self._settings.near:
            return CheckFailure("far from its source", f"{shared:.2f} of its words")
        alike = max(fuzz.partial_ratio(distractor.text, p.text) for p in truth)
        if alike > self._settings.duplicate or any(distractor.text in p.text for p in truth):
            return CheckFailure("copy of its source", f"{alike:.0f} of 100")
        return None

    async def _retrievable(self, distractor: Distractor) -> Outcome:
        """(c): among the first k for the question, its own question, or a hop."""
        k = self._task.settings.retrieval.k
        title, text = distractor.title, distractor.text
        for query in (distractor.question, self._question, *(hop.fact for hop in self._hops)):
            if await self._task.knowledge.rank(query, title, text, k) is not None:
                return None
        return CheckFailure("not retrievable", f"not among the first {k} for any query")

    async def _tempting(self, distractor: Distractor) -> Outcome:
        """(d): a reader of it alone gives the planted answer."""
        page = PromptDocument(distractor.title, distractor.text)
        said = await self._task.read(distractor.question, [page], purpose=f"tempt/{distractor.id}")
        if said is None:
            return CheckFailure("temptation undecided")
        if token_f1(said, distractor.wrong_answer) < self._settings.tempting_f1:
            return CheckFailure("not tempting", f"{said!r} instead of {distractor.wrong_answer!r}")
        return None

    async def _distinguishable(self, distractor: Distractor, truth: Sequence[Passage]) -> Outcome:
        """(a), by a judge: shown both sides in random order, it picks the truth."""
        sides = (
            PromptDocuments(documents=quotable(truth)),
            PromptDocuments(documents=(PromptDocument(distractor.title, distractor.text),)),
        )
        swapped = self._task.context.rng(f"order/{distractor.id}").random() < 0.5
        first, second = reversed(sides) if swapped else sides
        judged = await self._task.generate(
            TellApart(question=neutralize_markup(distractor.question), first=first, second=second),
            purpose=f"apart/{distractor.id}",
            role="judge",
        )
        if judged is None:
            return CheckFailure("distinction undecided")
        if judged.choice != ("second" if swapped else "first"):
            return CheckFailure("indistinguishable", judged.reason)
        return None
