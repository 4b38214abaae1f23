"""Blocks of prompts that are kept change no bit of what follows from them."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmill.models.embedded import prompt_cache
from synthmill.models.embedded.language_model import WEIGHTS
from synthmill.models.embedded.network import Network
from synthmill.models.embedded.prompt_cache import BLOCK, PromptCache


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(WEIGHTS)


@pytest.fixture(scope="module")
def long_kept(network: Network) -> Iterator[PromptCache]:
    """A cache that all examples share, so that most of their blocks are kept already."""
    yield PromptCache(network)


texts = st.lists(st.integers(4, 6), min_size=1, max_size=3 * BLOCK + 2).map(tuple)


@settings(max_examples=25, deadline=None)
@given(prompts=st.lists(texts, min_size=1, max_size=5), ends=st.lists(texts, max_size=3))
def test_kept_blocks_and_neighbors_change_no_bit(
    network: Network,
    long_kept: PromptCache,
    prompts: list[tuple[int, ...]],
    ends: list[tuple[int, ...]],
) -> None:
    every = [*prompts, *(prompts[0] + end for end in ends)]
    for found, prompt in zip(long_kept.prefill(every), every, strict=True):
        (alone,) = PromptCache(network).prefill([prompt])
        assert found.prompt == alone.prompt == prompt
        assert np.array_equal(found.logits, alone.logits)
        for (keys, values), (own_keys, own_values) in zip(found.layers, alone.layers, strict=True):
            assert np.array_equal(keys, own_keys) and np.array_equal(values, own_values)
        whole = network.prefill([prompt]).logits[0, len(prompt) - 1]
        assert np.allclose(found.logits, whole, atol=1e-9)


def test_the_cache_forgets_the_blocks_used_longest_ago(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_cache, "MOST_BLOCKS", 2)
    passes: list[int] = []
    run = network.run

    def counting(tokens, *rest):  # type: ignore[no-untyped-def]
        passes.append(len(tokens))
        return run(tokens, *rest)

    monkeypatch.setattr(network, "run", counting)
    cache = PromptCache(network)
    first, second = (tuple([token] * (2 * BLOCK + 1)) for token in (4, 5))
    for prompt, expected in ((first, 3), (first, 1), (second, 3), (first, 3)):
        passes.clear()
        cache.prefill([prompt])
        assert len(passes) == expected
    passes.clear()
    cache.prefill([second, second[:BLOCK], second + second])  # the first block once for all
    assert passes[0] == 1
