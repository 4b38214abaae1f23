"""At an OpenAI-compatible server: native tool calls, JSON schemas, faults, and death in between."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

from synthmill.generators.ragshaper.records import QuestionDetail, TrajectoryDetail
from synthmill.pipelines.run import start
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.row import Row
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.testing import Faults, ScriptedServer
from tests.generators.ragshaper import teacher

ROOT = Path(__file__).parents[3]
KILLS = 8


def recipe(server: ScriptedServer, folder: Path, **generator: Any) -> Recipe:
    settings = {
        "preset": "light",
        "chunking": {"max_chars": 400, "min_chars": 200},
        "tree": {"branch_probability": 0.0},
        "retrieval": {"threshold": {"tau": 0.05}},
        "navigation": {"samples": 4, "quota_from": 1000},
        **generator,
    }
    return Recipe.model_validate(
        {
            "name": "taught",
            "source": {"type": "corpus", "path": str(teacher.write_corpus(folder / "docs"))},
            "generator": {"name": "ragshaper", "settings": settings},
            "models": {
                "default": {
                    "backend": "openai",
                    "model": "scripted",
                    "settings": {"base_url": server.url},
                }
            },
            # One sample, so that each request has one stored answer.
            "filters": [
                {"name": "closed_book", "settings": {"only_with_evidence": True, "samples": 1}}
            ],
            "output": {"dataset": "taught"},
            "engine": {"concurrency": 4, "batch_seconds": 0.3},
        }
    )


def rows(home: Home) -> list[Row]:
    return list(Dataset.open(home, "taught").rows(status=None))


def ids(home: Home) -> list[str]:
    """What the rows are, whatever commits they came in."""
    return sorted(row.id for row in rows(home))


def test_the_method_runs_over_the_wire(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with ScriptedServer(teacher.respond) as server:
        report = asyncio.run(start(recipe(server, tmp_path), home))
        assert report.stop == "source exhausted" and not report.failed
        assert max(server.answered.values()) == 1
        bodies = server.bodies
    assert {"rlvr", "trajectory", "preference"} <= set(report.by_kind)
    turns = [body for body in bodies if body.get("tools")]
    assert turns and all(
        body["tools"][0]["function"]["name"] == "query_knowledge_base_dense" for body in turns
    )
    asked = [body for body in bodies if not body.get("tools")]
    assert all("schema" in body["response_format"]["json_schema"] for body in asked)
    answered = [m for body in turns for m in body["messages"] if m["role"] == "tool"]
    assert answered and all(m["tool_call_id"] for m in answered)
    _look_at(rows(home))


def _look_at(found: list[Row]) -> None:
    for row in found:
        if row.kind == "rlvr" and row.status == "accepted":
            detail = QuestionDetail.model_validate_json(row.detail)
            assert row.answer == teacher.ANSWER and len(detail.hops) == 4
            assert [one.distractor.wrong_answer for one in detail.distractors] == [teacher.WRONG]
        if row.kind == "trajectory" and row.status == "accepted":
            detail_ = TrajectoryDetail.model_validate_json(row.detail)
            assert detail_.prediction == teacher.ANSWER
            assert row.messages[1].reasoning and json.loads(row.messages[1].tool_calls or "")
        if row.kind == "preference":
            assert teacher.WRONG in (row.rejected[-1].content or "")
            assert teacher.ANSWER in (row.chosen[-1].content or "")
    outcomes = {
        TrajectoryDetail.model_validate_json(row.detail).outcome
        for row in found
        if row.kind == "trajectory"
    }
    assert {"handled", "misled"} <= outcomes
    reasons = {v.reason for row in found for v in row.verdicts if v.status == "fail"}
    assert "misled by a distractor" in reasons


def test_the_text_protocol_needs_no_tool_parser(tmp_path: Path) -> None:
    def spoken(body: dict[str, Any], seed: int) -> Any:
        if body["messages"][0]["content"].startswith("Answer the question with the help"):
            assert "tools" not in body and "<tool_call>" in body["messages"][0]["content"]
            done = [m["content"] for m in body["messages"] if "<tool_response>" in m["content"]]
            if len(done) < 4:
                call = {
                    "name": "query_knowledge_base_dense",
                    "arguments": {"query": teacher.QUERIES[len(done)]},
                }
                return f"<think>next</think><tool_call>{json.dumps(call)}</tool_call>"
            return f"<FINAL_ANSWER>{teacher.ANSWER}</FINAL_ANSWER>"
        return teacher.respond(body, seed)

    home = Home(tmp_path / "home")
    with ScriptedServer(spoken) as server:
        wanted = recipe(server, tmp_path, navigation={"samples": 2, "protocol": "text"})
        report = asyncio.run(start(wanted, home))
    found = [row for row in rows(home) if row.kind == "trajectory"]
    # The teacher says the same for several seeds: such trajectories are rejected as copies.
    assert len(found) > 4 and report.by_kind["trajectory"]
    for row in found:
        roles = [m.role for m in row.messages]
        assert roles == ["user", *["assistant", "tool"] * 4, "assistant"]


def test_half_of_all_calls_may_fail(tmp_path: Path) -> None:
    calm, rough = Home(tmp_path / "calm"), Home(tmp_path / "rough")
    with ScriptedServer(teacher.respond) as server:
        asyncio.run(start(recipe(server, tmp_path), calm))
    faults = Faults(share=0.4, kinds=("429", "500", "reset", "truncated", "wrong_json"))
    with ScriptedServer(teacher.respond, faults=faults) as server:
        report = asyncio.run(start(recipe(server, tmp_path), rough))
        assert sum(server.faulted.values()) > 50
    assert report.stop == "source exhausted"
    assert ids(rough) == ids(calm)


def test_a_teacher_that_answers_garbage_makes_rejected_rows_and_no_crash(tmp_path: Path) -> None:
    garbage = ("", "null", "[]", "{}", '{"question": 1}', "x" * 5000, "<tool_call>{}</tool_call>")

    def answer(body: dict[str, Any], seed: int) -> str:
        return Random(seed).choice(garbage)

    home = Home(tmp_path / "home")
    with ScriptedServer(answer) as server:
        report = asyncio.run(start(recipe(server, tmp_path), home))
    assert report.stop == "source exhausted" and not report.accepted and not report.failed
    assert report.rejected == len(rows(home)) > 0


def test_kills_buy_no_stored_answer_twice(tmp_path: Path) -> None:
    calm, rough, rng = Home(tmp_path / "calm"), Home(tmp_path / "rough"), Random(4)
    with ScriptedServer(teacher.respond, latency=0.05) as server:
        wanted = recipe(server, tmp_path)
        asyncio.run(start(wanted, calm))
        server.answered.clear()
        killed = lost = kept = answered = 0
        while (code := _run(wanted, rough, rng.uniform(1.0, 2.5), killed < KILLS)) != 0:
            assert code == -signal.SIGKILL and killed < 60
            killed += 1
            time.sleep(0.3)  # the server notices that nobody listens any more
            total, stored = sum(server.answered.values()), _stored(rough)
            lost += (total - answered) - (stored - kept)  # answered, and dead before it was kept
            answered, kept = total, stored
        again = sum(server.answered.values()) - len(server.answered)
    print(f"{killed} kills, {kept} answers kept at the last, {lost} lost on the way, {again} again")
    assert kept > 50, "the kills came too early to show anything"
    assert again == lost, "what is asked again is what no kill left time to keep"
    assert ids(rough) == ids(calm)


def _stored(home: Home) -> int:
    if not home.responses.is_file():
        return 0
    with sqlite3.connect(home.responses) as file:
        try:
            return int(file.execute("SELECT count(*) FROM samples").fetchone()[0])
        except sqlite3.OperationalError:  # killed before the table was made
            return 0


def _run(wanted: Recipe, home: Home, seconds: float, kill: bool) -> int:
    arguments = [str(home.path), "killed", wanted.model_dump_json()]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pipelines.runner", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    if kill:
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    return process.wait(timeout=300)
