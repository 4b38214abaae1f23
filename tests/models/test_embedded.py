"""The embedded back end: what a rule copies for the model costs what writing it would."""

from synthmill.generators.cotevol.prompts import Author, Guidance
from synthmill.models.embedded.language_model import LanguageModel
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Sampling
from synthmill.schemas.recipe import ModelSpec

PROBLEM = "Ann has 7 boxes of 8 apples and buys 13 more. How many apples has she?"
KEPT = "Step 1: 7 * 8 = 56\n"
ADVICE = Guidance(intermediate_result="", guidance_summary="", keep="first", keep_steps=1)


def author(begun: bool) -> Author:
    solution = KEPT + "Step 2: 56 + 13 = 68\nThe answer is \\boxed{68}."
    return Author(problem=PROBLEM, first=solution, second="", guidance=ADVICE, begun=begun)


async def test_steps_that_a_rule_copies_are_paid_for() -> None:
    greedy = Sampling(temperature=0, max_tokens=200)
    async with ModelRegistry({"default": ModelSpec()}, cache=None) as models:
        client = models.client()
        whole = await client.generate(author(begun=False), seed=1, sampling=greedy)
        rest = await client.generate(author(begun=True), seed=1, sampling=greedy, prefix=KEPT)
    assert whole.completion.text == KEPT + rest.completion.text
    copied = whole.completion.completion_tokens - rest.completion.completion_tokens
    assert copied == LanguageModel().count_tokens(KEPT) > 0


async def test_copied_steps_leave_less_to_be_written() -> None:
    short = Sampling(temperature=0, max_tokens=LanguageModel().count_tokens(KEPT) + 3)
    async with ModelRegistry({"default": ModelSpec()}, cache=None) as models:
        cut = await models.client().generate(author(begun=False), seed=1, sampling=short)
    assert cut.completion.finish_reason == "length"
    assert cut.completion.completion_tokens == short.max_tokens
