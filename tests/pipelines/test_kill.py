"""Dying at any moment loses no row, doubles none, and buys no answer twice."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from synthmill.pipelines.run import start
from synthmill.schemas.recipe import Recipe
from synthmill.store.home import Home
from synthmill.testing import ScriptedServer
from tests.pipelines.conftest import ROOT, recipe, rows, run_process

KILLS = 12


def answer(body: dict[str, Any], seed: int) -> str:
    return f"answer to {body['messages'][0]['content']}"


def asking(server: ScriptedServer) -> Recipe:
    return recipe(
        "Asks",
        source={"count": 900},
        models={
            "default": {
                "backend": "openai",
                "model": "scripted",
                "settings": {"base_url": server.url},
            }
        },
        filters=[{"name": "exact_content"}, {"name": "length"}],
        engine={"concurrency": 16, "batch_rows": 60, "batch_seconds": 0.5},
    )


def stored(home: Home) -> set[str]:
    """The texts in the response cache."""
    if not home.responses.is_file():
        return set()
    with sqlite3.connect(home.responses) as file:
        try:
            found = file.execute("SELECT completion FROM samples").fetchall()
        except sqlite3.OperationalError:  # killed before the table was made
            return set()
    return {json.loads(text)["text"] for (text,) in found}


def answered(server: ScriptedServer) -> Counter[str]:
    return Counter(answer(body, 0) for body in server.bodies)


def test_kills_end_in_the_rows_of_an_undisturbed_run(tmp_path: Path) -> None:
    rng = Random(20)
    calm, rough = Home(tmp_path / "calm"), Home(tmp_path / "rough")
    with ScriptedServer(answer, latency=0.06) as server:
        asyncio.run(start(asking(server), calm))
        server.bodies.clear()
        bought: dict[str, int] = {}
        for _ in range(KILLS):
            assert run_process(rough, asking(server), kill_after=rng.uniform(0, 0.7)) == ""
            counts = answered(server)
            bought |= {text: counts[text] for text in stored(rough) if text not in bought}
        assert run_process(rough, asking(server)) == "source exhausted"
        counts = answered(server)
    assert rows(rough, None) == rows(calm, None)
    assert len(bought) > 100, "the kills came too early to show anything"
    assert {text: counts[text] for text in bought} == bought


def test_two_runs_into_one_dataset_at_once_lose_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "factory")
    wanted = [
        recipe(
            source={"count": 300},
            seed=seed,
            engine={"batch_rows": 20, "concurrency": 4},
            generator={"settings": {"delay": 0.002}},
        )
        for seed in (1, 2)
    ]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.pipelines.runner", str(home.path), name, r],
            cwd=ROOT,
        )
        for name, r in zip("ab", (r.model_dump_json() for r in wanted), strict=True)
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    assert len({row.id for row in rows(home)}) == 1200
