"""Labels of a trajectory: which distractors it met, and how it dealt with them.

Labels follow words: a distractor is cited where a later turn names its planted answer or its title,
followed where a later query or the answer contains the planted answer. Rejected and recovered are
said of correct trajectories only.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from synthmill.generators.agent.rollout import Rollout, Step
from synthmill.generators.ragshaper.navigation import TeacherRollout
from synthmill.generators.ragshaper.records import (
    Distractor,
    DistractorType,
    Encounter,
    Injection,
    RolloutOutcome,
)
from synthmill.rewards.squad import mentions, token_f1


class TrajectoryLabel(NamedTuple):
    """A trajectory's score, its outcome, and the distractors that it met."""

    f1: float
    outcome: RolloutOutcome
    encounters: list[Encounter]

    @property
    def primary(self) -> DistractorType | None:
        """The type that the trajectory teaches most about: the one that was hardest to handle."""
        if not self.encounters:
            return None
        hardest = max(self.encounters, key=lambda e: (e.recovered, e.rejected, e.followed, -e.step))
        return hardest.type


class LabeledRollout(NamedTuple):
    """A rollout with its label, and its number among the samples of its question."""

    sample: int
    teacher: TeacherRollout
    label: TrajectoryLabel


def label_trajectory(
    teacher: TeacherRollout, answer: str, keep_f1: float, pool: Mapping[str, Distractor]
) -> TrajectoryLabel:
    """The label of a rollout; its answer is right above `keep_f1` (paper: token F1 > 0.9)."""
    f1 = token_f1(teacher.prediction, answer) if teacher.prediction else 0.0
    right = f1 > keep_f1
    encounters = [_encounter(pool[name], turn, teacher, right) for turn, name in _met(teacher)]
    return TrajectoryLabel(f1, _outcome(teacher, answer, right, encounters), encounters)


def _met(teacher: TeacherRollout) -> list[tuple[int, str]]:
    """Each distractor met, with the turn (from 0) that first brought it."""
    first: dict[str, int] = {}
    for number, step in enumerate(teacher.rollout.steps):
        for injection in _injections(step):
            for name in injection.injected:
                first.setdefault(name, number)
    return [(number, name) for name, number in first.items()]


def _injections(step: Step) -> list[Injection]:
    return [
        Injection.model_validate_json(observation.detail)
        for observation in step.observations
        if not observation.failed
    ]


def _encounter(
    distractor: Distractor, met_at: int, teacher: TeacherRollout, right: bool
) -> Encounter:
    later = teacher.rollout.steps[met_at + 1 :]
    planted, title = distractor.wrong_answer, distractor.title.strip()
    queries = [call.arguments for step in later for call in step.calls]
    followed = mentions(teacher.prediction, planted) or any(mentions(q, planted) for q in queries)
    said = [f"{step.turn.reasoning}\n{step.turn.content}" for step in later]
    cited = followed or any(mentions(text, planted) or mentions(text, title) for text in said)
    return Encounter(
        id=distractor.id,
        type=distractor.type,
        step=met_at + 1,
        cited=cited,
        followed=followed,
        rejected=right and cited and not followed,
        recovered=right and followed,
    )


def _outcome(
    teacher: TeacherRollout, answer: str, right: bool, encounters: Sequence[Encounter]
) -> RolloutOutcome:
    """The paper's four kinds of success (its statistics section); the failures are ours."""
    if not teacher.prediction:
        return "unfinished"
    if not right:
        return "misled" if any(e.followed for e in encounters) else "wrong"
    if not any(step.calls for step in teacher.rollout.steps):
        return "direct"
    if not _observed(teacher.rollout, answer):
        return "fallback"
    return "handled" if encounters else "regular"


def _observed(rollout: Rollout, answer: str) -> bool:
    """Whether any observation contained the answer."""
    return any(mentions(o.text, answer) for step in rollout.steps for o in step.observations)
