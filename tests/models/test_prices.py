"""What calls cost: one formula, list prices of known models, and no dollars where none is known."""

from pathlib import Path

import pytest

from synthmill.models.prices import list_price
from synthmill.models.registry import ModelRegistry
from synthmill.models.usage import cost
from synthmill.schemas.recipe import ModelSpec, Price
from synthmill.schemas.usage import Usage
from tests.models.prompts import Say
from tests.models.roles import role
from tests.servers import ScriptedServer


def test_cached_prompt_tokens_have_their_own_price() -> None:
    usage = Usage(prompt_tokens=1_000_000, cached_tokens=400_000, completion_tokens=100_000)
    assert cost(usage, Price(prompt=2, cached=0.5, completion=10)) == pytest.approx(2.4)
    assert cost(usage, Price(prompt=2, completion=10)) == pytest.approx(3.0)


@pytest.mark.parametrize(
    "name", ["gpt-4o-mini", "openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18", "GPT-4o-mini"]
)
def test_names_with_vendor_and_date_are_the_same_model(name: str) -> None:
    assert list_price(name) == Price(prompt=0.15, cached=0.075, completion=0.60)


@pytest.mark.parametrize("name", ["gpt-4o-mini-audio", "llama-3", "my-gpt-5", ""])
def test_other_models_have_no_list_price(name: str) -> None:
    assert list_price(name) is None


async def test_a_model_without_a_known_price_counts_tokens_and_no_dollars() -> None:
    with ScriptedServer() as server:
        known = role(server.url)
        unknown = known.model_copy(update={"price": None})
        own = ModelSpec()
        specs = {"default": known, "critic": unknown, "reader": own}
        async with ModelRegistry(specs, cache=None) as models:
            used = Usage()
            await models.client("critic").generate(Say(topic="x"), seed=1, usage=used)
            await models.client("reader").generate(Say(topic="x"), seed=1)
            assert models.unpriced == ["critic"]
            assert used.dollars == 0 and used.unpriced_tokens == used.tokens > 0
            assert models.bought.dollars == 0
            assert models.bought.unpriced_tokens == used.tokens


async def test_tokens_of_the_servers_prompt_cache_are_counted(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        server.prompt_cache = 7
        async with ModelRegistry({"default": role(server.url)}, cache=tmp_path / "c") as models:
            used = Usage()
            await models.client().sample(Say(topic="x"), 3, seed=1, usage=used)
    assert used.cached_tokens == 7 and used.prompt_tokens == 11
