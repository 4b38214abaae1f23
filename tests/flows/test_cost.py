"""One account of what a run cost: on the screen, in SQL and in the data card."""

import asyncio
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from synthmill.data_cards.card import card
from synthmill.flows.report_text import cost
from synthmill.pipelines.progress import Progress
from synthmill.pipelines.run import resume, start
from synthmill.schemas.recipe import Price, Recipe
from synthmill.schemas.report import RunReport
from synthmill.store import catalog
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.store.query import query_records
from synthmill.testing import ScriptedServer
from tests.pipelines.test_faults import asking


def priced(server: ScriptedServer, **changes: Any) -> Recipe:
    recipe = asking(server, **changes)
    role = recipe.models["default"].model_copy(
        update={"price": Price(prompt=1000.0, completion=4000.0)}
    )
    return recipe.model_copy(update={"models": {"default": role}})


def accounts_agree(home: Home, report: RunReport) -> None:
    asked, bought, unused = report.asked, report.bought, report.unused
    catalog.refresh(home)
    (usage,) = query_records(
        home,
        "SELECT sum(calls) AS calls, sum(prompt_tokens + completion_tokens) AS asked, "
        "sum(bought_prompt_tokens + bought_completion_tokens) AS bought, sum(dollars) AS dollars "
        f"FROM usage WHERE run_id = '{report.run_id}'",
    )
    (run,) = query_records(
        home,
        "SELECT calls, prompt_tokens + generated_tokens AS asked, bought_tokens AS bought, "
        f"dollars, unused_tokens AS unused FROM runs WHERE run_id = '{report.run_id}'",
    )
    for account in (usage, run):
        assert (account["calls"], account["asked"]) == (asked.calls, asked.tokens)
        assert account["bought"] == bought.tokens
        assert account["dollars"] == pytest.approx(bought.dollars) and bought.dollars > 0
    assert run["unused"] == unused.tokens
    line = f"| {asked.calls} | {asked.prompt_tokens} | {asked.completion_tokens} | "
    line += f"{bought.tokens} | {unused.tokens} | {bought.dollars:.4f} |"
    assert line in card(Dataset.open(home, report.dataset))
    shown = cost(report)
    assert shown.startswith(f"{asked.calls:,} model calls, {asked.prompt_tokens:,} prompt")
    assert f"${bought.dollars:,.4f}" in shown
    assert (f"{unused.tokens:,} of both by tasks that" in shown) == bool(unused.tokens)


async def test_the_accounts_agree_at_a_target(tmp_path: Path) -> None:
    home = Home(tmp_path / "factory")
    with ScriptedServer(latency=0.01) as server:
        report = await start(priced(server, target=25, generator={"settings": {"takes": 30}}), home)
        assert report.unused.tokens and "were not needed" in cost(report)
        accounts_agree(home, report)


async def test_a_run_without_a_target_that_stopped_names_what_it_bought_in_vain(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path / "factory")

    def watch(progress: Progress) -> None:
        # Some task is settled, and those in progress have had answers.
        if progress.accepted and progress.calls > 8 * progress.tasks and not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    stopped: list[bool] = []
    with ScriptedServer(latency=0.05) as server:
        wanted = priced(server, generator={"settings": {"takes": 8}}, engine={"concurrency": 6})
        report = await asyncio.wait_for(start(wanted, home, on_progress=watch), 60)
        assert report.stop == "interrupted" and report.unused.tokens
        assert re.search(r"of both by tasks that had not ended, for `resume`", cost(report))
        accounts_agree(home, report)
        bought = report.bought.tokens
        report = await asyncio.wait_for(resume(report.run_id, home), 60)
        assert report.stop == "source exhausted" and not report.unused.tokens
        assert bought < report.bought.tokens < report.asked.tokens
        accounts_agree(home, report)
