"""Rows of a tree path: questions, trajectories, preference pairs."""

from collections.abc import Sequence
from typing import NamedTuple

from synthmill.generators.agent.rollout import fields_of_question
from synthmill.generators.base import Judged
from synthmill.generators.ragshaper.navigation import TOOLS, LabeledRollout
from synthmill.generators.ragshaper.records import (
    CheckedDistractor,
    HopRecord,
    NegativeAspect,
    QuestionDetail,
    TrajectoryDetail,
    TreeRecord,
)
from synthmill.generators.retrieval.calibration import Calibration
from synthmill.schemas.evidence import Evidence
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.messages import user
from synthmill.schemas.row import Candidate, Score
from synthmill.schemas.verdict import Verdict

REWARD = "token_f1@1"  # `rewards.squad.token_f1`, right above the threshold


class PathProvenance(NamedTuple):
    """What all rows of one tree path share."""

    corpus: str
    calibration: Calibration
    tree: TreeRecord
    path: list[int]
    keep_f1: float


def question_row(
    provenance: PathProvenance,
    hops: Sequence[HopRecord],
    negatives: Sequence[NegativeAspect],
    evidence: Evidence,
) -> Candidate:
    """`rlvr`: question, answer, and the corpus in the reward's arguments."""
    detail = QuestionDetail(
        corpus=provenance.corpus,
        calibration=provenance.calibration,
        tree=provenance.tree,
        path=provenance.path,
        hops=list(hops),
        negatives=list(negatives),
        evidence=evidence,
    )
    return Candidate(
        kind="rlvr",
        messages=[user(evidence.question)],
        tools=TOOLS,
        answer=evidence.answer,
        reward=REWARD,
        reward_args=canonical_json({"above": provenance.keep_f1, "corpus": provenance.corpus}),
        scores=[Score(name="hops", value=len(hops))],
        sources=[hop.source for hop in hops if hop.source is not None],
        detail=detail.model_dump_json(),
    )


def solved_question_row(
    question: Judged,
    distractors: Sequence[CheckedDistractor],
    rollouts: Sequence[LabeledRollout],
    keep_f1: float,
) -> Candidate:
    """The row of an accepted question with its distractors and pass rate.

    It keeps the verdicts that it passed, so that its filters do not run again.
    """
    row = question.candidate
    detail = QuestionDetail.model_validate_json(row.detail)
    detail = detail.model_copy(update={"distractors": list(distractors)})
    right = [rollout.label.f1 > keep_f1 for rollout in rollouts]
    update = {
        "detail": detail.model_dump_json(),
        "pass_rate": sum(right) / len(right),
        "verdicts": [verdict for verdict in question.verdicts if verdict.status == "pass"],
    }
    return row.model_copy(update=update)


def trajectory_row(
    provenance: PathProvenance, question: Candidate, rollout: LabeledRollout, over_quota: bool
) -> Candidate:
    """`trajectory`; one whose distractor type has had its share fails."""
    full = Verdict(
        filter="ragshaper.quota", status="fail", reason="share of its distractor type is full"
    )
    return Candidate(
        kind="trajectory",
        messages=[*rollout.teacher.rollout.opening, *rollout.teacher.rollout.conversation],
        scores=_scores(rollout),
        verdicts=[full] if over_quota else [],
        detail=_detail(provenance, question, rollout).model_dump_json(),
        **fields_of_question(question),
    )


def preference_row(
    provenance: PathProvenance,
    question: Candidate,
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
        scores=_scores(robust),
        detail=detail.model_copy(update={"against": against}).model_dump_json(),
        **fields_of_question(question),
    )


def _detail(
    provenance: PathProvenance, question: Candidate, rollout: LabeledRollout
) -> TrajectoryDetail:
    return TrajectoryDetail(
        corpus=provenance.corpus,
        question=question.messages[0].text,
        sample=rollout.sample,
        stop=rollout.teacher.rollout.stop,
        prediction=rollout.teacher.prediction,
        f1=rollout.label.f1,
        outcome=rollout.label.outcome,
        primary_type=rollout.label.primary,
        injections=rollout.teacher.injections,
        encounters=rollout.label.encounters,
    )


def _scores(rollout: LabeledRollout) -> list[Score]:
    calls = sum(len(step.calls) for step in rollout.teacher.rollout.steps)
    return [
        Score(name="f1", value=rollout.label.f1),
        Score(name="tool_calls", value=calls),
        Score(name="distractors_met", value=len(rollout.label.encounters)),
    ]
