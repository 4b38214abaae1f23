"""The checks of questions, distractors and trajectories as filters.

The paper names one filter: a trajectory is kept if the token F1 of its answer is above 0.9. The
form of questions follows paper and released code. All other checks are ours, here and among the
shared filters of `DEFAULT_FILTERS`. Thresholds without another source are ours too.
"""

import re
from itertools import pairwise
from typing import ClassVar

from pydantic import Field
from rapidfuzz import fuzz

from synthmill.filters.base import FilterContext, ModelFilterSettings, ModelVerifier, Verifier
from synthmill.filters.evidence import READING, passage_of, shown
from synthmill.filters.verifiers.prompts.reading import AnswerFromDocuments
from synthmill.generators.ragshaper.prompts import TellApart
from synthmill.generators.ragshaper.records import (
    DistractorDetail,
    QuestionDetail,
    RolloutOutcome,
    TrajectoryDetail,
)
from synthmill.generators.retrieval.bm25 import words
from synthmill.rewards.squad import mentions, normalize_squad, token_f1
from synthmill.schemas.base import Settings
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict
from synthmill.sources.documents.prompt_documents import neutralize_markup

# Whole passages are read: a hop's sentence often names its subject in the title alone.
DEFAULT_FILTERS = (
    FilterSpec(name="question_form"),
    FilterSpec(name="answer_leak", settings={"phrases": False, "derivation": False}),
    FilterSpec(name="hop_chain"),
    FilterSpec(name="distractor_text"),
    FilterSpec(name="rollout_outcome"),
    FilterSpec(name="supported_by_quotes", settings={"show": "passages"}),
    FilterSpec(name="every_quote_needed", settings={"show": "passages"}),
    FilterSpec(name="single_answer"),
    FilterSpec(name="closed_book", settings={"only_with_evidence": True}),
    FilterSpec(name="distractor_tempting"),
    FilterSpec(name="distractor_distinguishable"),
)

_COUNTS = r"(?! (?:many|much|long|old|tall|far|heavy))"
_OPEN_ENDED = re.compile(rf"^\W*(?:how{_COUNTS}|why|describe|explain)\b", re.I)
_SPEAKS_OF_SEARCH = re.compile(
    r"\b(?:search(?:es|ed)?|retriev\w+|trajectory|knowledge base|the (?:passage|document)s?)\b",
    re.I,
)
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")

# A document that speaks of itself as a trap teaches nothing.
SELF_REFERENCES = ("distractor", "misleading", "gold answer", "wrong answer", "careless reader")


class QuestionFormSettings(Settings):
    """Bounds of a question."""

    max_words: int = Field(default=85, ge=1, description="(released code)")
    max_chars: int = Field(default=500, ge=1, description="(released code)")
    max_sentences: int = Field(default=2, ge=1, description="(paper)")
    min_hops: int = Field(default=3, ge=1, description="reasoning steps (paper)")


class QuestionForm(Verifier):
    """Fails a question that is not short, closed and self-contained, or that has too few hops.

    Also one that contains its answer as a substring (released code), speaks of searching, or
    contains markup of chat templates. Rows without a RAGShaper question are skipped.
    """

    name = "question_form"
    Settings = QuestionFormSettings
    settings: QuestionFormSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the first rule that is broken."""
        if candidate.kind != "rlvr":
            return self.verdict("skipped", "no question")
        detail = QuestionDetail.model_validate_json(candidate.detail)
        question, answer = detail.evidence.question, detail.evidence.answer
        reason = self._broken_rule(question, answer, len(detail.hops))
        return self.verdict("fail", reason) if reason else self.verdict("pass")

    def _broken_rule(self, question: str, answer: str, hops: int) -> str | None:
        settings = self.settings
        if not question.strip() or not normalize_squad(answer):
            return "no question or answer"
        if len(question.split()) > settings.max_words or len(question) > settings.max_chars:
            return "question too long"
        if len(_SENTENCE_END.findall(question)) > settings.max_sentences:
            return "too many sentences"
        if _OPEN_ENDED.match(question):
            return "open-ended question"
        if any(neutralize_markup(text) != text for text in (question, answer)):
            return "markup in the question"
        if _SPEAKS_OF_SEARCH.search(question):
            return "question speaks of searching"
        if " ".join(answer.lower().split()) in " ".join(question.lower().split()):
            return "question contains the answer"
        return "too few hops" if hops < settings.min_hops else None


class HopChainSettings(Settings):
    """When two answers are the same."""

    min_f1: float = Field(
        default=0.9, gt=0, le=1, description="token F1 of the last hop's output with the answer"
    )


class HopChain(Verifier):
    """Fails a question whose hops are not a chain from quotes in its passages to its answer.

    Every quote must be in a passage and contain its hop's output. Each hop must mention the output
    of the hop before, and so must its passage: the hop's `fact` is the author's own wording, and
    may claim any link. The last output must be the answer.

    Not checked: whether the answer follows from the passages (`supported_by_quotes`).
    """

    name = "hop_chain"
    Settings = HopChainSettings
    settings: HopChainSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the hop that breaks the chain."""
        if candidate.kind != "rlvr":
            return self.verdict("skipped", "no question")
        detail = QuestionDetail.model_validate_json(candidate.detail)
        for hop in detail.hops:
            if hop.source is None:
                found = f"hop {hop.hop}: no passage contains {hop.evidence!r}"
                return self.verdict("fail", "unsupported hop", detail=found)
            if not mentions(hop.evidence, hop.output):
                found = f"hop {hop.hop}: {hop.output!r}"
                return self.verdict("fail", "quote without its output", detail=found)
        quotes = zip(detail.hops, detail.evidence.quotes, strict=True)
        for (before, _), (hop, quote) in pairwise(quotes):
            page = passage_of(quote, detail.evidence)
            title, text = (page.title, page.text) if page else ("", "")
            # A dotted name of code may be mentioned by its last part.
            name = before.output.rpartition(".")[2].strip() or before.output
            claimed = mentions(f"{hop.fact}\n{hop.evidence}\n{title}", before.output)
            if not claimed or not mentions(f"{title}\n{text}", name):
                found = f"hop {hop.hop} does not need {before.output!r}"
                return self.verdict("fail", "no chain", detail=found)
        last = detail.hops[-1].output if detail.hops else ""
        if token_f1(last, detail.evidence.answer) < self.settings.min_f1:
            return self.verdict("fail", "answer is not the last hop's", detail=repr(last))
        return self.verdict("pass")


class DistractorTextSettings(Settings):
    """How close a distractor must be to its source."""

    min_shared_words: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="share of its words that a passage of the truth contains too",
    )
    max_similarity: float = Field(
        default=97.0,
        ge=0,
        le=100,
        description="rapidfuzz partial ratio with a passage of the truth",
    )


class DistractorText(Verifier):
    """Fails a distractor whose text alone disqualifies it.

    It needs all its fields and a true answer that is in its source (the other rules trust it); it
    may not speak of itself; its marker is in it and not in its source; neither the question's
    answer nor its fact's true answer is in it or planted by it; it shares words with its source and
    copies none of it; and the retriever finds it for a query of the question.

    Not checked: whether it resembles another distractor, or a paraphrase of the truth.
    """

    name = "distractor_text"
    Settings = DistractorTextSettings
    settings: DistractorTextSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the first rule that is broken."""
        if candidate.kind != "corpus" or candidate.detail == "{}":
            return self.verdict("skipped", "no distractor")
        detail = DistractorDetail.model_validate_json(candidate.detail)
        reason, found = self._untrustworthy(detail) or self._not_near(detail) or (None, None)
        if reason is None and detail.rank is None:
            reason, found = "not retrievable", "no query of the question finds it"
        return self.verdict("fail", reason, detail=found) if reason else self.verdict("pass")

    def _untrustworthy(self, detail: DistractorDetail) -> tuple[str, str | None] | None:
        distractor, text = detail.distractor, detail.distractor.full_text
        needed = (distractor.text, distractor.wrong_answer, distractor.question)
        if not all(normalize_squad(part) for part in (*needed, distractor.true_answer)):
            return "incomplete", None
        if not any(mentions(p.full_text, distractor.true_answer) for p in detail.truth):
            return "its truth is not in its source", distractor.true_answer
        for phrase in SELF_REFERENCES:
            if phrase in text.casefold():
                return "speaks of itself", phrase
        if not mentions(text, distractor.marker):
            return "no marker", f"{distractor.marker!r} is not in it"
        if mentions(detail.truth[0].full_text, distractor.marker):
            return "marker of the source too", distractor.marker
        for truth in (detail.answer, distractor.true_answer):
            if mentions(text, truth) or mentions(distractor.wrong_answer, truth):
                return "holds the truth", truth
        return None

    def _not_near(self, detail: DistractorDetail) -> tuple[str, str] | None:
        text = detail.distractor.text
        own = set(words(text))
        most = max(len(own & set(words(f"{p.title} {p.text}"))) for p in detail.truth)
        shared = most / max(1, len(own))
        if shared < self.settings.min_shared_words:
            return "far from its source", f"{shared:.2f} of its words"
        alike = max(fuzz.partial_ratio(text, p.text) for p in detail.truth)
        if alike > self.settings.max_similarity or any(text in p.text for p in detail.truth):
            return "copy of its source", f"{alike:.0f} of 100"
        return None


class TemptingSettings(ModelFilterSettings):
    """Who reads the distractor."""

    role: str = Field(default="reader", description="the model role that reads and answers")
    min_f1: float = Field(
        default=0.9, gt=0, le=1, description="token F1 of its answer with the planted one"
    )


class DistractorTempting(ModelVerifier):
    """Fails a distractor if a reader who sees nothing else does not give the planted answer."""

    name = "distractor_tempting"
    Settings = TemptingSettings
    settings: TemptingSettings

    async def judge(self, candidate: Candidate, context: FilterContext) -> Verdict:
        """Pass, or fail with the answer that was read."""
        if candidate.kind != "corpus" or candidate.detail == "{}":
            return self.verdict("skipped", "no distractor")
        distractor = DistractorDetail.model_validate_json(candidate.detail).distractor
        reply = await context.generate(
            AnswerFromDocuments(
                question=neutralize_markup(distractor.question),
                documents=shown([(distractor.title, distractor.text)]),
            ),
            purpose=f"filter/{self.name}",
            role=self.settings.role,
            sampling=READING,
        )
        if reply.value is None:
            return self.verdict("error", "malformed answer", detail=reply.malformed)
        said = reply.value.answer.strip()
        score = token_f1(said, distractor.wrong_answer)
        if score < self.settings.min_f1:
            found = f"{said!r} instead of {distractor.wrong_answer!r}"
            return self.verdict("fail", "not tempting", score=score, detail=found)
        return self.verdict("pass", score=score)


class DistractorDistinguishable(ModelVerifier):
    """Fails a distractor that a careful judge cannot tell from the truth by content.

    The judge sees the distractor and the passages of the truth, in random order, and must pick the
    truth: an agent that is trained on the distractor must be able to reject it.
    """

    name = "distractor_distinguishable"
    settings: ModelFilterSettings

    async def judge(self, candidate: Candidate, context: FilterContext) -> Verdict:
        """Pass, or fail with the judge's words."""
        if candidate.kind != "corpus" or candidate.detail == "{}":
            return self.verdict("skipped", "no distractor")
        detail = DistractorDetail.model_validate_json(candidate.detail)
        distractor = detail.distractor
        truth = shown((p.title, p.text) for p in detail.truth)
        sides = (truth, shown([(distractor.title, distractor.text)]))
        swapped = context.rng(f"filter/{self.name}/{distractor.id}").random() < 0.5
        first, second = reversed(sides) if swapped else sides
        reply = await context.generate(
            TellApart(question=neutralize_markup(distractor.question), first=first, second=second),
            purpose=f"filter/{self.name}",
            role=self.settings.role,
            sampling=READING,
        )
        if reply.value is None:
            return self.verdict("error", "malformed answer", detail=reply.malformed)
        if reply.value.choice != ("second" if swapped else "first"):
            return self.verdict("fail", "indistinguishable", detail=reply.value.reason)
        return self.verdict("pass")


REASONS: dict[str, str] = {"misled": "misled by a distractor", "wrong": "wrong answer"}


class RolloutOutcomeSettings(Settings):
    """Which outcomes are kept."""

    keep: tuple[RolloutOutcome, ...] = Field(
        default=("handled", "regular", "fallback", "direct"),
        description="outcomes of trajectories that are accepted; the default keeps all right "
        "answers (paper)",
    )


class KeepRolloutOutcome(Verifier):
    """Keeps trajectories by outcome; by default those whose answer is right (paper: F1 > 0.9).

    `generator.settings.navigation.keep_f1` decides what is right. The score is the F1.
    """

    name = "rollout_outcome"
    Settings: ClassVar[type[Settings]] = RolloutOutcomeSettings
    settings: RolloutOutcomeSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the outcome."""
        if candidate.kind != "trajectory":
            return self.verdict("skipped", "no trajectory")
        detail = TrajectoryDetail.model_validate_json(candidate.detail)
        if detail.outcome in self.settings.keep:
            return self.verdict("pass", score=detail.f1)
        reason = REASONS.get(detail.outcome, detail.outcome)
        if detail.outcome == "unfinished":
            reason = detail.stop
        said = f"{detail.prediction!r}, F1 {detail.f1:.2f}"
        return self.verdict("fail", reason, score=detail.f1, detail=said)
