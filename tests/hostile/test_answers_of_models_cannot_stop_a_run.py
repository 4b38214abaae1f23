"""Whatever a model server answers: it costs bounded time and memory, and no later run."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from synthmill.filters.base import DiversityFilter, Filter, Verifier
from synthmill.filters.load import PACKAGES, load_filter
from synthmill.filters.run import judge, safe_judge, warm_up
from synthmill.filters.text import normalize_text
from synthmill.filters.verifiers.answer_equivalence import AnswerEquivalence
from synthmill.models.errors import ModelError
from synthmill.models.registry import ModelRegistry
from synthmill.runtime.workers import WorkerPool
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.plugins import available
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate
from synthmill.testing import ScriptedServer
from tests.filters.candidates import NO_CONTEXT
from tests.models.prompts import Say
from tests.models.roles import role

ROOT = Path(__file__).parents[2]
BOMB = r"\boxed{9^{9^{9^{9}}}}"


async def test_counts_of_tokens_without_bound_are_not_believed(tmp_path: Path) -> None:
    class Boasting(ScriptedServer):
        def _completion(self, *args: Any) -> dict[str, Any]:
            usage = {"prompt_tokens": 10**18, "completion_tokens": 10**18}
            return super()._completion(*args) | {"usage": usage}

    with Boasting() as server:
        async with ModelRegistry({"default": role(server.url)}, cache=tmp_path / "c") as models:
            await models.client().generate(Say(topic="x"), seed=1)
            assert models.usage["say"].asked.tokens < 100


async def test_a_text_far_longer_than_max_tokens_is_refused_and_not_stored(tmp_path: Path) -> None:
    class Endless(ScriptedServer):
        def _completion(self, *args: Any) -> dict[str, Any]:
            answer = super()._completion(*args)
            answer["choices"][0]["message"]["content"] = "x" * 60_000_000
            return answer

    with Endless() as server:
        spec = role(server.url)
        async with ModelRegistry(
            {"default": spec}, cache=tmp_path / "c", give_up_after_seconds=0.1
        ) as models:
            with pytest.raises(ModelError, match="longer than max_tokens"):
                await models.client().generate(Say(topic="x"), seed=1)
    assert sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()) < 1_000_000


async def test_a_bomb_of_mathematics_ends_at_the_filters_own_limit() -> None:
    found = AnswerEquivalence()
    candidates = [
        Candidate(kind="sft", messages=[user("q"), assistant(said)], answer=answer)
        for said, answer in (
            (BOMB, "7"),
            (r"\boxed{7}", "9^{9^{9^{9}}}"),
            (r"\boxed{10^{10^{10}} + 1}", "x"),
            (r"\boxed{100000000!}", "5!"),
            (r"\boxed{(x+1)^{100000}}", "(1+x)^{100000}"),
        )
    ]
    async with WorkerPool(1, warm=warm_up([found])) as pool:
        for candidate in candidates:
            start = time.monotonic()
            await judge(found, candidate, NO_CONTEXT, pool)
            assert time.monotonic() - start < found.time_limit + 15


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGABRT, signal.SIGTERM])
def test_workers_die_with_a_program_that_is_ended(end: signal.Signals) -> None:
    script = textwrap.dedent("""
        from synthmill.runtime.workers import WorkerPool
        from tests.runtime.calls import burn
        import threading
        pool = WorkerPool(1)
        pool.run_blocking(len, "started")
        print(flush=True)
        pool.run_blocking(burn, 600)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        time.sleep(0.5)
        workers = psutil.Process(program.pid).children(recursive=True)
        assert len(workers) == 1
        os.kill(program.pid, end)
    psutil.wait_procs(workers, timeout=10)
    assert not any(worker.is_running() for worker in workers)


MEGABYTE = 1_000_000
SECONDS = 10.0  # of processor time for a text of 1 MB; a quadratic reading takes hours
TEXTS = {
    piece: piece * (MEGABYTE // len(piece))
    for piece in (
        "answer: * ", "\u0315\u0300",
        "Step 1: ", "\\boxed{", "}", "the given answer ", "= ", "1,",
        "9", "$", "\\frac{1}{2}", "because the ", "\n", " ", "word ", "<think>", "x ",
        "3 + 4 = 7. ",
        "😀", "ﷺ", "(", "[",
    )
}  # fmt: skip


@pytest.mark.parametrize("piece", TEXTS)
def test_every_text_filter_reads_a_megabyte_in_linear_time(piece: str) -> None:
    text = TEXTS[piece]
    candidates = [
        Candidate(kind="sft", messages=[user("How many?"), assistant(text)], answer="7"),
        Candidate(kind="sft", messages=[user(text), assistant("\\boxed{7}")], answer="7"),
    ]
    for name in available(Filter, PACKAGES):
        found = load_filter(FilterSpec(name=name))
        if not isinstance(found, Verifier | DiversityFilter) or found.cost != "rule":
            continue
        for candidate in candidates:
            start = time.process_time()
            safe_judge(found, candidate)
            assert time.process_time() - start < SECONDS, name
    start = time.process_time()
    normalize_text(text)
    assert time.process_time() - start < SECONDS
