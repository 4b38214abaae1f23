"""Rows of a task: questions, trajectories, preference pairs, and rejected distractors."""

from collections.abc import Sequence
from typing import NamedTuple

from synthmill.generators.ragshaper.checking import verdict_of
from synthmill.generators.ragshaper.labels import LabeledRollout
from synthmill.generators.ragshaper.navigation import TOOLS
from synthmill.generators.ragshaper.questions import CheckedQuestion
from synthmill.generators.ragshaper.records import (
    CheckedDistractor,
    DistractorDetail,
    QuestionDetail,
    TrajectoryDetail,
    TreeRecord,
)
from synthmill.generators.retrieval.calibration import Calibration
from synthmill.schemas.identity import canonical_json, content_id
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.messages import user
from synthmill.schemas.row import Candidate, Score
from synthmill.schemas.verdict import Verdict

REWARD = "token_f1@1"  # `rewards.squad.token_f1`, right above the threshold


class RowProvenance(NamedTuple):
    """What all rows of one question share."""

    corpus: str
    calibration: Calibration
    tree: TreeRecord
    path: list[int]
    keep_f1: float


def question_row(
    provenance: RowProvenance,
    question: CheckedQuestion,
    distractors: Sequence[CheckedDistractor] = (),
    rollouts: Sequence[LabeledRollout] = (),
) -> Candidate:
    """`rlvr`: question, answer, and the corpus in the reward's arguments."""
    asked = question.asked
    detail = QuestionDetail(
        corpus=provenance.corpus,
        calibration=provenance.calibration,
        tree=provenance.tree,
        path=provenance.path,
        hops=question.hops,
        negatives=asked.negative_aspect,
        checks=question.checks,
        distractors=list(distractors),
    )
    right = [one.label.f1 > provenance.keep_f1 for one in rollouts]
    return Candidate(
        kind="rlvr",
        messages=[user(asked.question)],
        tools=TOOLS,
        answer=asked.answer,
        reward=REWARD,
        reward_args=canonical_json({"above": provenance.keep_f1, "corpus": provenance.corpus}),
        pass_rate=sum(right) / len(right) if right else None,
        scores=[Score(name="hops", value=len(question.hops))],
        verdicts=[verdict_of(question.checks, "ragshaper.question")],
        sources=_sources(question),
        detail=detail.model_dump_json(),
    )


def distractor_row(corpus: str, question: str, checked: CheckedDistractor) -> Candidate:
    """`corpus`: a rejected distractor with the reason."""
    distractor = checked.distractor
    detail = DistractorDetail(corpus=corpus, question=question, distractor=checked)
    return Candidate(
        kind="corpus",
        messages=[user(f"[{distractor.title}]\n{distractor.text}")],
        verdicts=[verdict_of(checked.checks, "ragshaper.distractor")],
        detail=detail.model_dump_json(),
    )


def trajectory_row(
    provenance: RowProvenance,
    question: CheckedQuestion,
    parent: Candidate,
    rollout: LabeledRollout,
    over_quota: bool,
) -> Candidate:
    """`trajectory`: accepted where its answer is right and its type is within its share."""
    conversation = rollout.teacher.rollout
    return Candidate(
        kind="trajectory",
        messages=[*conversation.opening, *conversation.conversation],
        tools=TOOLS,
        answer=question.asked.answer,
        reward=REWARD,
        reward_args=parent.reward_args,
        scores=_scores(rollout),
        verdicts=[_verdict(rollout, over_quota)],
        sources=_sources(question),
        parents=[content_id(parent)],
        detail=_detail(provenance, question, rollout).model_dump_json(),
    )


def preference_row(
    provenance: RowProvenance,
    question: CheckedQuestion,
    parent: Candidate,
    robust: LabeledRollout,
    misled: LabeledRollout,
) -> Candidate:
    """`preference`: a rollout that handled its distractors over one that they misled."""
    detail = _detail(provenance, question, robust)
    against = _detail(provenance, question, misled)
    return Candidate(
        kind="preference",
        messages=list(robust.teacher.rollout.opening),
        chosen=list(robust.teacher.rollout.conversation),
        rejected=list(misled.teacher.rollout.conversation),
        tools=TOOLS,
        answer=question.asked.answer,
        reward=REWARD,
        reward_args=parent.reward_args,
        scores=_scores(robust),
        verdicts=[Verdict(filter="ragshaper.preference", status="pass")],
        sources=_sources(question),
        parents=[content_id(parent)],
        detail=detail.model_copy(update={"against": against}).model_dump_json(),
    )


def _detail(
    provenance: RowProvenance, question: CheckedQuestion, rollout: LabeledRollout
) -> TrajectoryDetail:
    return TrajectoryDetail(
        corpus=provenance.corpus,
        question=question.asked.question,
        sample=rollout.sample,
        stop=rollout.teacher.rollout.stop,
        prediction=rollout.teacher.prediction,
        f1=rollout.label.f1,
        outcome=rollout.label.outcome,
        primary_type=rollout.label.primary,
        injections=rollout.teacher.injections,
        encounters=rollout.label.encounters,
    )


def _verdict(rollout: LabeledRollout, over_quota: bool) -> Verdict:
    name, outcome = "ragshaper.trajectory", rollout.label.outcome
    if outcome in ("misled", "wrong"):
        detail = f"{rollout.teacher.prediction!r}, F1 {rollout.label.f1:.2f}"
        reason = "misled by a distractor" if outcome == "misled" else "wrong answer"
        return Verdict(filter=name, status="fail", reason=reason, detail=detail)
    if outcome == "unfinished":
        return Verdict(filter=name, status="fail", reason=rollout.teacher.rollout.stop)
    if over_quota:
        return Verdict(filter=name, status="fail", reason="share of its distractor type is full")
    return Verdict(filter=name, status="pass", score=rollout.label.f1)


def _scores(rollout: LabeledRollout) -> list[Score]:
    calls = sum(len(step.calls) for step in rollout.teacher.rollout.steps)
    return [
        Score(name="f1", value=rollout.label.f1),
        Score(name="tool_calls", value=calls),
        Score(name="distractors_met", value=len(rollout.label.encounters)),
    ]


def _sources(question: CheckedQuestion) -> list[SourceRef]:
    return [hop.source for hop in question.hops if hop.source is not None]
