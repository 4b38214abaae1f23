"""Rows of a document: questions, trajectories, preference pairs."""

from collections.abc import Sequence

from synthmill.generators.agent.rollout import fields_of_question
from synthmill.generators.base import Judged
from synthmill.generators.docdancer.prompts import WrittenQuestion
from synthmill.generators.docdancer.records import DocumentQuestionDetail
from synthmill.generators.docdancer.rollouts import ScoredRollout, opening
from synthmill.generators.docdancer.task import DocumentTask
from synthmill.generators.docdancer.tools import TOOLS
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.row import Candidate, Score

REWARD = "mmlongbench@1"  # `rewards.mmlongbench`


def question_row(
    task: DocumentTask, detail: DocumentQuestionDetail, written: WrittenQuestion
) -> Candidate:
    """`rlvr`: outline and question, the answer, and its format in the reward's arguments."""
    args = {"answer_format": detail.answer_format, "document": detail.document.sha256}
    places = detail.places or (detail.absence.near if detail.absence else ())
    return Candidate(
        kind="rlvr",
        messages=[opening(task, written.question)],
        tools=TOOLS,
        answer=written.answer,
        reward=REWARD,
        reward_args=canonical_json(args),
        scores=[
            Score(name="pages", value=len(detail.pages)),
            Score(name="modalities", value=len(detail.modalities)),
            Score(name="hops", value=len(detail.reasoning)),
        ],
        sources=[task.source(place.start, place.end) for place in places] or [task.source()],
        detail=detail.model_dump_json(),
    )


def solved_question_row(question: Judged, rollouts: Sequence[ScoredRollout]) -> Candidate:
    """The row of an accepted question with its pass rate, and the verdicts that it passed."""
    update = {
        "pass_rate": sum(one.detail.right for one in rollouts) / len(rollouts),
        "verdicts": [verdict for verdict in question.verdicts if verdict.status == "pass"],
    }
    return question.candidate.model_copy(update=update)


def trajectory_row(question: Candidate, one: ScoredRollout) -> Candidate:
    """`trajectory`: the rollout as messages."""
    return Candidate(
        kind="trajectory",
        messages=[*one.rollout.opening, *one.rollout.conversation],
        scores=_scores(one),
        detail=one.detail.model_dump_json(),
        **fields_of_question(question),
    )


def preference_row(question: Candidate, grounded: ScoredRollout, other: ScoredRollout) -> Candidate:
    """`preference`: a grounded rollout over one that is not."""
    return Candidate(
        kind="preference",
        messages=list(grounded.rollout.opening),
        chosen=list(grounded.rollout.conversation),
        rejected=list(other.rollout.conversation),
        scores=_scores(grounded),
        detail=grounded.detail.model_copy(update={"against": other.detail}).model_dump_json(),
        **fields_of_question(question),
    )


def _scores(one: ScoredRollout) -> list[Score]:
    calls = sum(len(step.calls) for step in one.rollout.steps)
    return [
        Score(name="mmlongbench", value=one.detail.score),
        Score(name="tool_calls", value=calls),
    ]
