"""What a trajectory is said to show, and how a terminal shows it."""

import json
from typing import NamedTuple

import pytest

from synthmill.generators.agent.rollout import Rollout, RolloutStep
from synthmill.generators.agent.tools import FAILED, Call, Observation
from synthmill.generators.agent.turn import Turn
from synthmill.generators.ragshaper.describe import describe
from synthmill.generators.ragshaper.navigation import (
    TeacherRollout,
    TrajectoryLabel,
    label_trajectory,
)
from synthmill.generators.ragshaper.records import Distractor, Injection, TrajectoryDetail
from synthmill.schemas.row import Row

LIE = Distractor(
    id="lie",
    type="doppelganger",
    title="Osk: figures for 2019",
    text="The figures for 2019 say that the Osk is 90 km long.",
    marker="figures for 2019",
    misleading_claim="The Osk is 90 km long.",
    question="How long is the Osk?",
    true_answer="80 km",
    wrong_answer="90 km",
    fact="The Osk is 80 km long.",
    source="p",
    support=["p"],
    node=1,
)


class Said(NamedTuple):
    """A turn: its thought, and a query with what it brings, or a final answer."""

    thought: str
    query: str = ""
    lies: tuple[str, ...] = ("lie",)
    found: str = "[Osk]\nThe Osk is 80 km long."


def journey(*turns: Said, prediction: str) -> TeacherRollout:
    steps, log = list[RolloutStep](), list[Injection]()
    for said in turns:
        if not said.query:
            steps.append(RolloutStep(turn=Turn(reasoning=said.thought, content=prediction)))
            continue
        record = Injection(
            step=len(log) + 1,
            query=said.query,
            case="first",
            passages=["p"],
            injected=list(said.lies),
            positions=list(range(len(said.lies))),
        )
        log.append(record)
        call = Call(id="c", name="s", arguments=json.dumps({"query": said.query}))
        steps.append(
            RolloutStep(
                turn=Turn(reasoning=said.thought, calls=(call,)),
                calls=(call,),
                observations=(Observation(text=said.found, detail=record.model_dump_json()),),
            )
        )
    rollout = Rollout(opening=(), steps=tuple(steps), stop="answered")
    return TeacherRollout(rollout, log, prediction)


def labelled(*turns: Said, prediction: str, pool: Distractor = LIE) -> TrajectoryLabel:
    return label_trajectory(journey(*turns, prediction=prediction), "80 km", 0.9, {"lie": pool})


SEARCH = Said("I look.", "length of the Osk")
DOUBT = Said("One page says 90 km, but in its figures for 2019.")
LURED = Said("It is 90 km; what else is?", "rivers of 90 km")


@pytest.mark.parametrize(
    ("turns", "prediction", "outcome", "fate"),
    [
        ((SEARCH, DOUBT), "80 km", "handled", (True, False, True, False)),
        ((SEARCH, LURED, DOUBT), "80 km", "handled", (True, True, False, True)),
        ((SEARCH, Said("Clear.")), "80 km", "handled", (False, False, False, False)),
        ((SEARCH, Said("It is so.")), "90 km", "misled", (True, True, False, False)),
        ((SEARCH, Said("It is so.")), "70 km", "wrong", (False, False, False, False)),
        ((SEARCH, Said("Nothing.")), "", "unfinished", (False, False, False, False)),
        ((SEARCH._replace(found="[A]\nNo."), Said("I know.")), "80 km", "fallback", None),
        ((SEARCH._replace(lies=()), Said("Clear.")), "80 km", "regular", ()),
        ((Said("I know."),), "80 km", "direct", ()),
    ],
)
def test_outcomes_and_what_became_of_a_distractor(
    turns: tuple[Said, ...], prediction: str, outcome: str, fate: tuple[bool, ...] | None
) -> None:
    found = labelled(*turns, prediction=prediction)
    assert found.outcome == outcome
    if fate is not None:
        fates = [(e.cited, e.followed, e.rejected, e.recovered) for e in found.encounters]
        assert fates == ([fate] if fate else [])
        assert found.primary == ("doppelganger" if fate else None)


def test_a_distractor_without_a_title_is_not_cited_by_every_turn() -> None:
    nameless = LIE.model_copy(update={"title": " "})
    found = labelled(SEARCH, Said("Clear."), prediction="80 km", pool=nameless)
    assert not found.encounters[0].cited and not found.encounters[0].rejected


def test_a_failed_call_shifts_no_mark_of_a_distractor() -> None:
    walked = journey(SEARCH, prediction="")
    call = Call(id="x", name="nothing", arguments="{}")
    failed = RolloutStep(
        turn=Turn(calls=(call,)),
        calls=(call,),
        observations=(Observation(text=f"{FAILED}there is no tool", failed=True),),
    )
    rollout = walked.rollout.model_copy(update={"steps": (failed, *walked.rollout.steps)})
    detail = TrajectoryDetail(
        corpus="",
        question="q",
        sample=0,
        stop="turn limit",
        prediction="",
        f1=0,
        outcome="unfinished",
        primary_type=None,
        injections=walked.injections,
        encounters=[],
    )
    row = Row.model_construct(
        id="x", kind="trajectory", messages=[*rollout.conversation], answer="80 km",
        detail=detail.model_dump_json(),
    )  # fmt: skip
    text = describe(row)
    assert text and "there is no tool" in text and "sees ![Osk]" in text
