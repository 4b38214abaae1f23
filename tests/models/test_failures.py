"""What servers do wrong, done by a real one."""

import asyncio
import time
from pathlib import Path

import pytest

from synthmill.models.errors import ConfigurationError, RequestRejected, ServerUnavailable
from synthmill.models.registry import ModelRegistry
from synthmill.models.retry import parse_retry_after
from synthmill.schemas.errors import InputError
from synthmill.testing.scripted_server import KINDS, Faults, ScriptedServer
from tests.models.prompts import Judge, Say
from tests.models.roles import PATIENCE, role

SECRET = "sk-do-not-tell-anyone"


async def ask_all(models: ModelRegistry, count: int) -> list[str]:
    client = models.client()
    asked = (client.generate(Say(topic=f"topic {i}"), seed=i) for i in range(count))
    return [reply.unwrap() for reply in await asyncio.gather(*asked)]


async def test_half_of_all_calls_fail_and_every_call_is_answered() -> None:
    with ScriptedServer() as calm:
        async with ModelRegistry({"default": role(calm.url)}, cache=None) as models:
            expected = await ask_all(models, 80)
    with ScriptedServer(faults=Faults(share=0.5)) as server:
        async with ModelRegistry(
            {"default": role(server.url, total_seconds=3)}, cache=None
        ) as models:
            assert await ask_all(models, 80) == expected
            failures = models.usage["say"].failures
    assert set(server.faulted) == set(KINDS)
    assert sum(failures.values()) == server.faulted.total()
    assert failures["HTTP 429"] == server.faulted["429"]
    assert failures["HTTP 500"] == server.faulted["500"]
    assert failures["connection reset"] == server.faulted["reset"]
    assert failures["timed out"] == server.faulted["hang"]
    assert failures["truncated answer"] == server.faulted["truncated"]
    assert failures["not JSON"] == server.faulted["wrong_json"]


async def test_retry_after_is_obeyed() -> None:
    faults = Faults(share=0.5, kinds=("429",), retry_after="1")
    with ScriptedServer(faults=faults) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            began = time.monotonic()
            await ask_all(models, 6)
            most = max(server.asked.values()) - 1
            assert most > 0
            assert time.monotonic() - began >= most


def test_retry_after_reads_seconds_and_dates() -> None:
    assert parse_retry_after("2.5") == 2.5
    assert parse_retry_after("-4") == 0
    assert parse_retry_after("inf") is None
    assert parse_retry_after("soon") is None
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30))
    assert 28 < (parse_retry_after(date) or 0) <= 30


async def test_concurrency_settles_near_what_the_server_takes() -> None:
    with ScriptedServer(capacity=20, latency=0.02) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            await ask_all(models, 300)
            refused = server.refused
            await ask_all(models, 900)
    assert server.peak < 60
    assert server.refused - refused < 0.25 * 900


async def test_a_dead_server_is_waited_for_and_then_given_up() -> None:
    with ScriptedServer() as server:
        server.stop()
        async with ModelRegistry(
            {"default": role(server.url)}, cache=None, give_up_after_seconds=PATIENCE
        ) as models:
            began = time.monotonic()
            waiting = asyncio.create_task(ask_all(models, 8))
            await asyncio.sleep(PATIENCE / 2)
            status = models.status() or ""
            assert status.startswith(f"paused: {server.url} dead for")
            assert "no connection" in status
            with pytest.raises(
                ServerUnavailable, match=f"within {PATIENCE:g} s: {server.url} dead"
            ):
                await waiting
            assert PATIENCE <= time.monotonic() - began < PATIENCE + 1.5


async def test_a_server_that_comes_back_gets_what_waited() -> None:
    with ScriptedServer() as server:
        async with ModelRegistry(
            {"default": role(server.url)}, cache=None, give_up_after_seconds=20
        ) as models:
            await ask_all(models, 3)
            server.stop()
            waiting = asyncio.create_task(ask_all(models, 20))
            await asyncio.sleep(0.5)
            assert models.status() is not None
            server.start()
            assert len(await waiting) == 20
            assert models.status() is None


async def test_of_two_endpoints_one_may_die() -> None:
    with ScriptedServer(latency=0.01) as first, ScriptedServer(latency=0.01) as second:
        spec = role([first.url, second.url])
        async with ModelRegistry(
            {"default": spec}, cache=None, give_up_after_seconds=PATIENCE
        ) as models:
            await ask_all(models, 100)
            assert min(first.answered.total(), second.answered.total()) > 20
            second.stop()
            assert len(await ask_all(models, 200)) == 200
            assert f"1 of 2 endpoints left: {second.url} dead" in (models.status() or "")


async def test_a_request_that_a_live_server_never_answers_fails_alone() -> None:
    def stumbles(body: dict[str, object], seed: int) -> str:
        if "poison" in str(body["messages"]):
            raise RuntimeError
        return "fine"

    with ScriptedServer(stumbles) as server:
        async with ModelRegistry({"default": role(server.url, retries=2)}, cache=None) as models:
            poisoned = asyncio.create_task(models.client().generate(Say(topic="poison"), seed=1))
            while not poisoned.done():
                await ask_all(models, 5)
            with pytest.raises(
                RequestRejected, match="prompt say: 3 tries failed, the last by: HTTP 500"
            ):
                await poisoned


async def test_an_answer_without_end_is_cut_off() -> None:
    with ScriptedServer(lambda body, seed: "x" * 2**20) as server:
        spec = role(server.url, max_response_mb=0.5)
        async with ModelRegistry(
            {"default": spec}, cache=None, give_up_after_seconds=0.2
        ) as models:
            with pytest.raises(ServerUnavailable, match="answer too large"):
                await ask_all(models, 1)


async def test_a_request_without_end_is_not_sent() -> None:
    with ScriptedServer() as server:
        async with ModelRegistry(
            {"default": role(server.url, max_request_mb=0.5)}, cache=None
        ) as models:
            with pytest.raises(RequestRejected, match=r"prompt judge: its .* bytes are over"):
                await models.client().generate(Judge(text="x" * 2**20), seed=1)
    assert not server.asked


async def test_a_wrong_key_is_told_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SCRIPTED_KEY", SECRET)
    with ScriptedServer(key="another") as server:
        spec = role(server.url, api_key_env="SCRIPTED_KEY")
        async with ModelRegistry({"default": spec}, cache=tmp_path / "cache") as models:
            with pytest.raises(ConfigurationError) as refused:
                await models.client().generate(Say(topic="x"), seed=1)
            with pytest.raises(InputError) as failed:
                await models.check()
    for message in (str(refused.value), str(failed.value)):
        assert "the key in SCRIPTED_KEY is not accepted" in message
        assert "[key]" in message  # the server repeated it
        assert SECRET not in message


async def test_the_key_reaches_the_server_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SCRIPTED_KEY", SECRET)
    with ScriptedServer(key=SECRET) as server:
        spec = role(server.url, api_key_env="SCRIPTED_KEY")
        async with ModelRegistry({"default": spec}, cache=tmp_path / "cache") as models:
            assert await ask_all(models, 3)
            assert f"{server.url} serves scripted, answered" in (await models.check())[0]
            assert SECRET not in str(models.usage)
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes()


async def test_what_is_wrong_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCRIPTED_KEY", raising=False)
    url = "http://127.0.0.1:9/v1"
    with pytest.raises(
        InputError, match=r"models\.default\.settings: unknown key 'base_ulr' \(did"
    ):
        ModelRegistry({"default": role(url, base_ulr=url)}, cache=None)
    with pytest.raises(InputError, match="Authorization looks secret"):
        ModelRegistry({"default": role(url, headers={"Authorization": "Bearer x"})}, cache=None)
    for address in ("127.0.0.1:9", "ftp://host/v1", "http://user:hidden@host/v1"):
        with pytest.raises(InputError, match="base_url") as error:
            async with ModelRegistry({"default": role(address)}, cache=None):
                pass
        assert "hidden" not in str(error.value)
    with pytest.raises(InputError, match="variable SCRIPTED_KEY, which holds the key, is not set"):
        async with ModelRegistry({"default": role(url, api_key_env="SCRIPTED_KEY")}, cache=None):
            pass


async def test_check_names_what_is_wrong() -> None:
    with ScriptedServer(model="scripted-2") as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            with pytest.raises(InputError, match="did you mean 'scripted-2'"):
                await models.check()
            with pytest.raises(ConfigurationError, match="HTTP 404"):
                await models.client().generate(Say(topic="x"), seed=1)
            server.stop()
            with pytest.raises(InputError, match="does not answer: no connection"):
                await models.check()
