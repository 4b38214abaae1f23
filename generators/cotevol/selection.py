"""Who breeds: the paper's "Boltzmann tournament" (arXiv 2604.14768, section 3.4)."""

import math
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


def boltzmann(fitness: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Softmax of the fitness values at `temperature`; probabilities that add up to 1.

    The paper gives no temperature, which reads as 1.

    Raises:
        ValueError: the temperature is not positive.
    """
    if temperature <= 0:
        raise ValueError(f"the temperature of selection must be positive, not {temperature}")
    highest = max(fitness, default=0.0)
    weights = [math.exp((value - highest) / temperature) for value in fitness]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def draw(rng: Random, items: Sequence[T], weights: Sequence[float], count: int) -> list[T]:
    """`count` items (or all, where there are fewer) drawn by weight, none twice.

    Without replacement is ours: the paper leaves it open, and a trace crossed with itself is none.
    """
    left, chosen = list(range(len(items))), list[T]()
    while left and len(chosen) < count:
        shares = [weights[i] for i in left]
        if sum(shares) <= 0:
            shares = [1.0] * len(left)
        index = rng.choices(left, shares)[0]
        left.remove(index)
        chosen.append(items[index])
    return chosen
