"""The response cache: nothing is paid for twice."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synthmill.models.backend import backend_settings
from synthmill.models.completion import Completion
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Request
from synthmill.models.response_cache import ResponseCache, sample_keys
from synthmill.schemas.errors import InputError
from synthmill.schemas.messages import user
from synthmill.schemas.recipe import ModelSpec
from synthmill.schemas.usage import Usage
from synthmill.testing import ScriptedServer
from tests.models.prompts import Say
from tests.models.roles import role

ROOT = Path(__file__).parents[2]
# Asks for samples until it is killed; says which answers it was given.
ASKER = """
import asyncio, sys
from pathlib import Path
from synthmill.models.registry import ModelRegistry
from tests.models.prompts import Say
from tests.models.roles import role

async def main(url, cache):
    async with ModelRegistry({"default": role(url)}, cache=Path(cache)) as models:
        async def ask(i):
            for reply in await models.client().sample(Say(topic=f"topic {i}"), 2, seed=i):
                reply.unwrap()
            print(i, flush=True)
        await asyncio.gather(*(ask(i) for i in range(400)))

asyncio.run(main(*sys.argv[1:]))
"""


async def ask(models: ModelRegistry, count: int, n: int = 1) -> list[list[str]]:
    client = models.client()
    asked = (client.sample(Say(topic=f"topic {i}"), n, seed=i) for i in range(count))
    return [[r.completion.text for r in replies] for replies in await asyncio.gather(*asked)]


async def test_a_replay_needs_no_server(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        specs = {"default": role(server.url)}
        async with ModelRegistry(specs, cache=tmp_path / "cache") as models:
            first = await ask(models, 30, n=3)
            bought = models.usage["say"]
            assert models.bought.tokens == bought.asked.tokens > 0
        server.stop()
        async with ModelRegistry(specs, cache=tmp_path / "cache") as models:
            assert await ask(models, 30, n=3) == first
            replayed = models.usage["say"]
            assert models.bought == Usage()
    assert replayed.asked == bought.asked and bought.asked.calls == bought.bought.calls == 30
    assert replayed.bought == Usage()


@pytest.mark.parametrize("name", ["vllm", "llama_cpp", "sentence_transformers"])
def test_two_checkpoints_under_one_name_share_no_answers(name: str) -> None:
    keys = set()
    for path in ("/checkpoints/a", "/checkpoints/b"):
        spec = ModelSpec(backend=name, model="mine", settings={"path": path})
        backend_class, settings = backend_settings("default", spec)
        backend = backend_class(spec, settings)
        request = Request(model=backend.model, messages=(user("x"),))
        keys.update(sample_keys(backend.cache_identity(), request))
    assert len(keys) == 2


async def test_only_missing_samples_are_bought(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        async with ModelRegistry({"default": role(server.url)}, cache=tmp_path / "cache") as models:
            (few,) = await ask(models, 1, n=2)
            (more,) = await ask(models, 1, n=5)
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            (alone,) = await ask(models, 1, n=5)
    assert more[:2] == few
    assert more == alone  # sample i is the same, however the samples were asked for
    assert [body.get("n", 1) for body in server.bodies] == [2, 3, 5]


async def test_identical_requests_in_flight_are_one_call(tmp_path: Path) -> None:
    with ScriptedServer(latency=0.1) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=tmp_path / "cache") as models:
            client = models.client()
            prompt = Say(topic="the same")
            many = await asyncio.gather(*(client.generate(prompt, seed=7) for _ in range(20)))
            assert len({reply.completion.text for reply in many}) == 1
            assert models.usage["say"].asked.calls == 20
            assert models.usage["say"].bought.calls == 1
    assert server.answered.total() == 1


async def test_who_stops_waiting_spoils_nothing(tmp_path: Path) -> None:
    with ScriptedServer(latency=0.2) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=tmp_path / "cache") as models:
            first = asyncio.create_task(ask(models, 1))
            second = asyncio.create_task(ask(models, 1))
            await asyncio.sleep(0.1)
            first.cancel()
            assert len(await second) == 1
            lonely = asyncio.create_task(models.client().generate(Say(topic="lonely"), seed=1))
            await asyncio.sleep(0.1)
            lonely.cancel()
            await asyncio.sleep(0.3)
            await models.client().generate(Say(topic="lonely"), seed=1)
    assert max(server.answered.values()) == 1


def test_no_stored_answer_is_bought_again_after_sigkill(tmp_path: Path) -> None:
    with ScriptedServer(latency=0.05) as server:
        command = [sys.executable, "-c", ASKER, server.url, str(tmp_path / "cache")]
        stored = 0
        for answers in (20, 50, 70, 90):
            before = server.answered.total()
            child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
            while server.answered.total() < before + answers:
                time.sleep(0.0005)
            child.send_signal(signal.SIGKILL)
            child.wait()
            assert rows(tmp_path / "cache") >= stored
            stored = rows(tmp_path / "cache")
        assert 0 < stored < 800
        time.sleep(1)  # the server still answers what the last child has asked
        answered = server.answered.total()
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
        # Both samples of a call are stored at once, so each missing pair is one call.
        assert server.answered.total() - answered == 400 - stored / 2
        assert rows(tmp_path / "cache") == 800


def rows(path: Path) -> int:
    with sqlite3.connect(path) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return int(file.execute("SELECT count(*) FROM samples").fetchone()[0])


def test_several_processes_share_one_file(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        command = [sys.executable, "-c", ASKER, server.url, str(tmp_path / "cache")]
        children = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(3)]
        for child in children:
            said, _ = child.communicate()
            assert child.returncode == 0
            assert len(said.split()) == 400
    assert rows(tmp_path / "cache") == 800


def test_keys_stay_what_they_are() -> None:
    """What users have paid for is stored under these."""
    request = Request(model="m", messages=Say(topic="é").messages(), prefix="A", n=2, seed=7)
    one, two = sample_keys('{"api":"completions"}', request)
    assert one.hex() == "711b57316d632972f0f54d76d72e230c25d7fa3099f0e60b331e0283ab4a426c"
    assert two.hex() == "2ecd9d1dc2f2880cbb56a350fea5dd73dedaa31430f447dcb52491f506677506"


async def put(cache: ResponseCache, *entries: tuple[bytes, str]) -> list[str]:
    """The texts that are in the cache once these were put there."""
    settled: asyncio.Queue[Completion | InputError] = asyncio.Queue()
    for key, text in entries:
        cache.put(key, Completion(text=text), lambda _, outcome: settled.put_nowait(outcome))
    texts = []
    for _ in entries:
        outcome = await settled.get()
        if isinstance(outcome, InputError):
            raise outcome
        texts.append(outcome.text)
    return texts


async def test_the_first_answer_stands(tmp_path: Path) -> None:
    one, two = ResponseCache(tmp_path / "cache"), ResponseCache(tmp_path / "cache")
    key, other = b"k" * 32, b"o" * 32
    assert await put(one, (key, "first")) == ["first"]
    assert await put(two, (other, "other"), (key, "late")) == ["other", "first"]
    assert one.get(other) == Completion(text="other")
    one.close()
    two.close()


async def test_a_damaged_entry_is_bought_again(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        for damage in (b"{", b"\xff\xfe", b'{"text": 3}', b""):
            async with ModelRegistry(
                {"default": role(server.url)}, cache=tmp_path / "cache"
            ) as models:
                assert len(await ask(models, 1)) == 1
            with sqlite3.connect(tmp_path / "cache") as file:
                file.execute("UPDATE samples SET completion = CAST(? AS TEXT)", (damage,))
        async with ModelRegistry({"default": role(server.url)}, cache=tmp_path / "cache") as models:
            again = await ask(models, 1)
            assert await ask(models, 1) == again
    assert server.answered.total() == 5


def test_what_is_no_cache_is_told_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("this is not a database, " * 100)
    with pytest.raises(InputError, match=r"response cache .*text cannot be opened: file is not a"):
        ResponseCache(text)
    old = tmp_path / "old"
    ResponseCache(old).close()
    with sqlite3.connect(old) as file:
        file.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="has format 99, this Synthmill reads 1"):
        ResponseCache(old)
    with pytest.raises(InputError, match="cannot be opened"):
        ResponseCache(text / "below" / "cache")


async def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    cache = ResponseCache(tmp_path / "cache")
    cache._file.execute("PRAGMA max_page_count = 8")
    with pytest.raises(InputError, match="cannot be written: database or disk is full"):
        for index in range(100):
            await put(cache, (os.urandom(32), str(index) * 500))
    cache.close()
