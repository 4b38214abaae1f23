"""Questions from paths: asked for, checked, and asked for again with the reason of the refusal."""

from typing import NamedTuple

from synthmill.generators.base import Context
from synthmill.generators.ragshaper.curation import Tree
from synthmill.generators.ragshaper.library import Library
from synthmill.generators.ragshaper.prompts.question import (
    Misleading,
    SynthesizedQuestion,
    SynthesizeQuestion,
)
from synthmill.generators.ragshaper.question_checks import QuestionChecker, located
from synthmill.generators.ragshaper.records import Check, Distractor, HopRecord
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.tree import Path
from synthmill.models.request import Sampling
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

EMPTY = SynthesizedQuestion(question="", answer="", reasoning_steps=[])


class Question(NamedTuple):
    """A question with its located hops and its checks; it stands where all of them passed."""

    asked: SynthesizedQuestion
    hops: list[HopRecord]
    checks: list[Check]

    @property
    def stands(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


async def question_of(
    context: Context,
    library: Library,
    settings: RagShaperSettings,
    tree: Tree,
    path: Path,
    purpose: str,
) -> Question:
    """The question of a path: the first try that stands, else the last one with its fault."""
    passages = tree.found(path.nodes)
    checker = QuestionChecker(
        context, library, settings.questions, passages, settings.retrieval.k, purpose
    )
    prompt = _prompt(settings, tree, path)
    question = Question(EMPTY, [], [])
    for attempt in range(settings.questions.attempts):
        reply = await context.generate(
            prompt,
            purpose=f"{purpose}/ask/{attempt}",
            role="author",
            sampling=_sampling(settings, attempt),
        )
        if reply.value is None:
            fault = Check(name="form", passed=False, reason="malformed", detail=reply.malformed)
            question = Question(EMPTY, [], [fault])
        else:
            hops = located(reply.value.reasoning_steps, passages)
            question = Question(reply.value, hops, await checker.check(reply.value, hops))
        if question.stands:
            return question
        failed = question.checks[-1]
        failure = f"{failed.reason}: {failed.detail}" if failed.detail else str(failed.reason)
        prompt = prompt.model_copy(update={"failure": neutralize_markup(failure)})
    return question


def distractors_of(tree: Tree, path: Path) -> list[Distractor]:
    """The distractors of a path, in the order written."""
    return [tree.distractors[name] for node in path.nodes for name in node.distractors]


def _prompt(settings: RagShaperSettings, tree: Tree, path: Path) -> SynthesizeQuestion:
    return SynthesizeQuestion(
        steps=tree.explored(path.nodes, settings.questions.observation_chars),
        misleading=tuple(_misleading(d) for d in distractors_of(tree, path)),
        min_hops=settings.questions.min_hops,
        max_sentences=settings.questions.max_sentences,
    )


def _misleading(distractor: Distractor) -> Misleading:
    return Misleading(
        kind=distractor.kind,
        document=PromptDocuments(documents=(PromptDocument(distractor.title, distractor.text),)),
        fact=neutralize_markup(distractor.fact),
        claim=neutralize_markup(distractor.misleading_claim),
        marker=neutralize_markup(distractor.marker),
    )


def _sampling(settings: RagShaperSettings, attempt: int) -> Sampling:
    """Warmer at each try (released code: 0.7, then 0.1 more)."""
    temperature = settings.questions.temperature + settings.questions.warmer * attempt
    return Sampling(temperature=min(2.0, temperature), top_p=1.0, max_tokens=4096)
