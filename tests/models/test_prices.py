"""What calls cost: one formula, list prices of known models, and no dollars where none is known."""

from pathlib import Path

import pytest

from synthmill.models.prices import list_price
from synthmill.models.registry import ModelRegistry
from synthmill.models.usage import cost
from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.plan import make_plan
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Budget, ModelSpec, Price
from synthmill.schemas.usage import Usage
from synthmill.testing import ScriptedServer
from tests.models.prompts import Say
from tests.models.roles import role


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
            assert used.dollars == 0 and used.unpriced_tokens == used.tokens > 0
            assert models.bought.dollars == 0
            assert models.bought.unpriced_tokens == used.tokens


async def test_check_says_which_price_is_assumed() -> None:
    with ScriptedServer(model="gpt-4o-mini") as server, ScriptedServer(model="other") as unknown:
        known = role(server.url).model_copy(update={"model": "gpt-4o-mini", "price": None})
        without = role(unknown.url).model_copy(update={"model": "other", "price": None})
        async with ModelRegistry({"default": known, "critic": without}, cache=None) as models:
            listed, none = await models.check()
    assert listed.endswith("$0.15 and $0.6 for a million prompt and generated tokens")
    assert none.endswith("no price is known, so its tokens are in no dollars")


def test_a_budget_in_dollars_needs_prices() -> None:
    demo = read_recipe("cotevol-demo")
    hosted = ModelSpec(backend="openai", model="other", settings={"base_url": "http://x/v1"})
    priced = hosted.model_copy(update={"price": Price(prompt=1)})
    budget = Budget(dollars=1)
    for spec in (priced, ModelSpec()):
        make_plan(demo.model_copy(update={"models": {"default": spec}, "budget": budget}))
    unpriced = demo.model_copy(update={"models": {"default": hosted}})
    make_plan(unpriced)
    with pytest.raises(InputError, match=r"no price .* 'other': give models.default.price"):
        make_plan(unpriced.model_copy(update={"budget": budget}))


async def test_tokens_of_the_servers_prompt_cache_are_counted(tmp_path: Path) -> None:
    with ScriptedServer() as server:
        server.prompt_cache = 7
        async with ModelRegistry({"default": role(server.url)}, cache=tmp_path / "c") as models:
            used = Usage()
            await models.client().sample(Say(topic="x"), 3, seed=1, usage=used)
    assert used.cached_tokens == 7 and used.prompt_tokens == 11
