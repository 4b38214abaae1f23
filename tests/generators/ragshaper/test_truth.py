"""On a generated world, against its truth: what is accepted is right, and lies are lies."""

import asyncio
import json

import pytest

from synthmill.generators.ragshaper.describe import describe
from synthmill.generators.ragshaper.offline.chains import chain_of
from synthmill.generators.ragshaper.records import QuestionDetail, TrajectoryDetail
from synthmill.rewards.squad import mentions, token_f1
from synthmill.schemas.identity import content_id
from synthmill.schemas.row import Candidate, Row
from synthmill.sources.documents.world import render_documents, sample_world
from tests.generators.ragshaper.offline_context import OfflineContext, world_source
from tests.generators.ragshaper.run_generator import accepted, light, make, true_answer

SEED = 11


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Candidate]:
    cache = tmp_path_factory.mktemp("corpora")
    return asyncio.run(
        make(
            world_source(SEED)[0], light(), cache, [OfflineContext(number) for number in range(30)]
        )
    )


def test_rows_of_all_kinds_come_out(rows: list[Candidate]) -> None:
    counts = {kind: len(accepted(rows, kind)) for kind in ("rlvr", "trajectory", "preference")}
    print(counts)
    assert counts["rlvr"] > 20 and counts["trajectory"] > 30 and counts["preference"] > 0
    assert not accepted(rows, "corpus"), "distractors are no rows of their own unless refused"


def test_every_accepted_answer_is_right(rows: list[Candidate]) -> None:
    world = sample_world(SEED)
    for row in accepted(rows, "rlvr"):
        assert row.answer == true_answer(world, row.messages[0].content or "")
        assert len(chain_of(row.messages[0].content or "").hops) >= 3  # type: ignore[union-attr]


def test_every_quote_stands_at_its_offset(rows: list[Candidate]) -> None:
    texts = {d.uri: d for d in render_documents(sample_world(SEED), SEED)}
    for row in accepted(rows, "rlvr"):
        detail = QuestionDetail.model_validate_json(row.detail)
        assert [hop.source for hop in detail.hops] == row.sources
        for hop in detail.hops:
            assert hop.source is not None
            document = texts[hop.source.uri]
            assert document.text[hop.source.start : hop.source.end] == hop.evidence
            assert hop.source.sha256 == document.sha256 and hop.source.license == "CC0-1.0"
            assert mentions(hop.evidence, hop.output)


def test_every_accepted_distractor_is_wrong_and_distinguishable(rows: list[Candidate]) -> None:
    world, checked, kinds = sample_world(SEED), 0, set()
    for row in accepted(rows, "rlvr"):
        for one in QuestionDetail.model_validate_json(row.detail).distractors:
            lie = one.distractor
            own = f"{lie.title}\n{lie.text}"
            assert token_f1(lie.wrong_answer, true_answer(world, lie.question)) < 0.9
            assert not mentions(own, true_answer(world, lie.question))
            assert not mentions(own, row.answer or "")
            assert mentions(own, lie.marker) and mentions(own, lie.wrong_answer)
            assert [v.status for v in one.verdicts] == ["pass"] * 3
            checked += 1
            kinds.add(lie.type)
    print(f"{checked} distractors of {len(kinds)} types")
    assert checked > 40 and len(kinds) == 4


def test_trajectories_are_kept_by_f1_and_labelled(rows: list[Candidate]) -> None:
    outcomes = set()
    for row in (r for r in rows if r.kind == "trajectory"):
        detail = TrajectoryDetail.model_validate_json(row.detail)
        kept = all(v.status in ("pass", "skipped") for v in row.verdicts)
        outcomes.add(detail.outcome)
        assert not kept or detail.f1 > 0.9
        for met in detail.encounters:
            shown = [i for i in detail.injections if met.id in i.injected]
            assert shown and not (met.rejected and met.followed)
            assert not met.recovered or (met.followed and detail.f1 > 0.9)
        if detail.outcome == "handled":
            assert detail.encounters and detail.primary_type
        for message in row.messages:
            assert message.train == (message.role == "assistant")
        assert json.loads(row.tools or "")[0]["function"]["name"] == "query_knowledge_base_dense"
    assert {"handled", "regular"} <= outcomes


def test_pairs_set_a_robust_trajectory_against_a_misled_one(rows: list[Candidate]) -> None:
    questions = {content_id(row) for row in accepted(rows, "rlvr")}
    for row in accepted(rows, "preference"):
        detail = TrajectoryDetail.model_validate_json(row.detail)
        assert detail.against is not None and detail.question == detail.against.question
        assert detail.f1 > 0.9 and detail.outcome == "handled"
        assert detail.against.outcome == "misled" and detail.against.f1 <= 0.9
        assert row.chosen != row.rejected and set(row.parents) <= questions


def test_the_teacher_is_never_told(rows: list[Candidate]) -> None:
    for row in (r for r in rows if r.kind == "trajectory"):
        spoken = "\n".join(m.content or "" for m in row.messages if m.role == "user").casefold()
        for word in ("distractor", "mislead", "beware", "careful", "trap"):
            assert word not in spoken
        lies = TrajectoryDetail.model_validate_json(row.detail).injections
        shown = "\n".join(m.content or "" for m in row.messages)
        assert not any(name in shown for record in lies for name in record.injected)


def test_refusals_have_reasons(rows: list[Candidate]) -> None:
    for row in rows:
        for verdict in row.verdicts:
            assert verdict.status == "pass" or (verdict.reason and len(verdict.reason) < 60)
        assert all(v.status in ("pass", "skipped") for v in row.verdicts[:-1])


def test_rows_are_described_readably(rows: list[Candidate]) -> None:
    shown = {}
    for candidate in rows:
        row = Row.model_construct(**dict(candidate), id="x")
        text = describe(row)
        assert text and "\x1b" not in text
        shown.setdefault(candidate.kind, []).append(text)
    assert any("* search" in t and "! doppelganger" in t for t in shown["rlvr"])
    assert any("sees ![" in t and "thinks" in t for t in shown["trajectory"])
    assert all("CHOSEN" in t and "REJECTED" in t for t in shown["preference"])
    assert all("rejected:" in t for t in shown["corpus"])
