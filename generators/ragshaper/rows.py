"""Rows from what a task found: questions, trajectories, pairs, and what was refused."""

from collections.abc import Sequence
from typing import NamedTuple

from synthmill.generators.ragshaper.checking import verdict_of
from synthmill.generators.ragshaper.labels import Label
from synthmill.generators.ragshaper.navigation import TOOLS, Journey
from synthmill.generators.ragshaper.questions import Question
from synthmill.generators.ragshaper.records import (
    CheckedDistractor,
    DistractorDetail,
    NegativeRecord,
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


class Origins(NamedTuple):
    """What all rows of one question share."""

    corpus: str
    calibration: Calibration
    tree: TreeRecord
    path: list[int]
    keep_f1: float


class Told(NamedTuple):
    """A journey with its label and its number among the samples."""

    sample: int
    journey: Journey
    label: Label


def question_row(
    origins: Origins,
    question: Question,
    distractors: Sequence[CheckedDistractor] = (),
    told: Sequence[Told] = (),
) -> Candidate:
    """`rlvr`: question, answer, where its corpus is; rejected where the question does not stand."""
    asked = question.asked
    detail = QuestionDetail(
        corpus=origins.corpus,
        calibration=origins.calibration,
        tree=origins.tree,
        path=origins.path,
        hops=question.hops,
        negatives=[NegativeRecord.model_validate(n.model_dump()) for n in asked.negative_aspect],
        checks=question.checks,
        distractors=list(distractors),
    )
    right = [t.label.f1 > origins.keep_f1 for t in told]
    return Candidate(
        kind="rlvr",
        messages=[user(asked.question)],
        tools=TOOLS,
        answer=asked.answer,
        reward=REWARD,
        reward_args=canonical_json({"above": origins.keep_f1, "corpus": origins.corpus}),
        pass_rate=sum(right) / len(right) if right else None,
        scores=[Score(name="hops", value=len(question.hops))],
        verdicts=[verdict_of(question.checks, "ragshaper.question")],
        sources=_sources(question),
        detail=detail.model_dump_json(),
    )


def distractor_row(corpus: str, question: str, checked: CheckedDistractor) -> Candidate:
    """A refused distractor, with the reason."""
    distractor = checked.distractor
    detail = DistractorDetail(corpus=corpus, question=question, distractor=checked)
    return Candidate(
        kind="corpus",
        messages=[user(f"[{distractor.title}]\n{distractor.text}")],
        verdicts=[verdict_of(checked.checks, "ragshaper.distractor")],
        detail=detail.model_dump_json(),
    )


def trajectory_row(
    origins: Origins, question: Question, parent: Candidate, told: Told, over_quota: bool
) -> Candidate:
    """`trajectory`: kept where its answer is right and its type has room."""
    detail = trajectory_detail(origins, question, told)
    rollout = told.journey.rollout
    return Candidate(
        kind="trajectory",
        messages=[*rollout.opening, *rollout.conversation],
        tools=TOOLS,
        answer=question.asked.answer,
        reward=REWARD,
        reward_args=parent.reward_args,
        scores=_scores(told),
        verdicts=[_verdict(told, over_quota)],
        sources=_sources(question),
        parents=[content_id(parent)],
        detail=detail.model_dump_json(),
    )


def preference_row(
    origins: Origins, question: Question, parent: Candidate, robust: Told, misled: Told
) -> Candidate:
    """`preference`: a trajectory that saw through its distractors against one that did not."""
    detail = trajectory_detail(origins, question, robust)
    against = trajectory_detail(origins, question, misled)
    return Candidate(
        kind="preference",
        messages=list(robust.journey.rollout.opening),
        chosen=list(robust.journey.rollout.conversation),
        rejected=list(misled.journey.rollout.conversation),
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


def trajectory_detail(origins: Origins, question: Question, told: Told) -> TrajectoryDetail:
    """The record of a rollout."""
    return TrajectoryDetail(
        corpus=origins.corpus,
        question=question.asked.question,
        sample=told.sample,
        stop=told.journey.rollout.stop,
        prediction=told.journey.prediction,
        f1=told.label.f1,
        outcome=told.label.outcome,
        primary_kind=told.label.primary,
        injections=told.journey.injections,
        encounters=told.label.encounters,
    )


def _verdict(told: Told, over_quota: bool) -> Verdict:
    name, outcome = "ragshaper.trajectory", told.label.outcome
    if outcome in ("misled", "wrong"):
        said = f"{told.journey.prediction!r}, F1 {told.label.f1:.2f}"
        reason = "misled by a distractor" if outcome == "misled" else "wrong answer"
        return Verdict(filter=name, status="fail", reason=reason, detail=said)
    if outcome == "unfinished":
        return Verdict(filter=name, status="fail", reason=told.journey.rollout.stop)
    if over_quota:
        return Verdict(filter=name, status="fail", reason="share of its distractor type is full")
    return Verdict(filter=name, status="pass", score=told.label.f1)


def _scores(told: Told) -> list[Score]:
    calls = sum(len(step.calls) for step in told.journey.rollout.steps)
    return [
        Score(name="f1", value=told.label.f1),
        Score(name="tool_calls", value=calls),
        Score(name="distractors_met", value=len(told.label.encounters)),
    ]


def _sources(question: Question) -> list[SourceRef]:
    return [hop.source for hop in question.hops if hop.source is not None]
