"""What a trajectory shows: which distractors it met, and what it made of them.

The labels go by words: a distractor is cited where a later turn names its planted answer or its
title, followed where a later query or the answer is built on the planted answer. That the agent
rejected it, or recovered, is said of right trajectories only.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from synthmill.generators.agent.rollout import Rollout, Step
from synthmill.generators.ragshaper.navigation import Journey
from synthmill.generators.ragshaper.records import Distractor, Encounter, Injection, Outcome
from synthmill.generators.ragshaper.taxonomy import Kind
from synthmill.rewards.squad import mentions, token_f1


class Label(NamedTuple):
    """A trajectory's score, what it met, and what it stands for."""

    f1: float
    outcome: Outcome
    encounters: list[Encounter]

    @property
    def primary(self) -> Kind | None:
        """The type that the trajectory teaches most about: the one dealt with hardest."""
        if not self.encounters:
            return None
        hardest = max(self.encounters, key=lambda e: (e.recovered, e.rejected, e.followed, -e.step))
        return hardest.kind


def label(journey: Journey, answer: str, keep_f1: float, pool: Mapping[str, Distractor]) -> Label:
    """The label of a rollout; the answer is right above `keep_f1` (paper: token F1 > 0.9)."""
    f1 = token_f1(journey.prediction, answer) if journey.prediction else 0.0
    right = f1 > keep_f1
    encounters = [_encounter(pool[name], number, journey, right) for number, name in _met(journey)]
    return Label(f1, _outcome(journey, answer, right, encounters), encounters)


def _met(journey: Journey) -> list[tuple[int, str]]:
    """Each distractor met, with the turn that first brought it."""
    first: dict[str, int] = {}
    for number, step in enumerate(journey.rollout.steps):
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


def _encounter(distractor: Distractor, met_at: int, journey: Journey, right: bool) -> Encounter:
    later = journey.rollout.steps[met_at + 1 :]
    planted = distractor.wrong_answer
    said = [_words(step) for step in later]
    queries = [call.arguments for step in later for call in step.calls]
    followed = mentions(journey.prediction, planted) or any(mentions(q, planted) for q in queries)
    title = distractor.title.strip()
    cited = followed or any(mentions(text, planted) or mentions(text, title) for text in said)
    return Encounter(
        id=distractor.id,
        kind=distractor.kind,
        step=met_at + 1,
        cited=cited,
        followed=followed,
        rejected=right and cited and not followed,
        recovered=right and followed,
    )


def _words(step: Step) -> str:
    return f"{step.turn.reasoning}\n{step.turn.content}"


def _outcome(
    journey: Journey, answer: str, right: bool, encounters: Sequence[Encounter]
) -> Outcome:
    """The paper's four kinds of success (its statistics section); the failures are ours."""
    rollout = journey.rollout
    if not journey.prediction:
        return "unfinished"
    if not right:
        return "misled" if any(e.followed for e in encounters) else "wrong"
    if not any(step.calls for step in rollout.steps):
        return "direct"
    if not _observed(rollout, answer):
        return "fallback"
    return "handled" if encounters else "regular"


def _observed(rollout: Rollout, answer: str) -> bool:
    """Whether the answer stood in anything that the tools brought."""
    return any(mentions(o.text, answer) for step in rollout.steps for o in step.observations)
