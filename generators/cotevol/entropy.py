"""Uncertainty of tokens and steps, and the temperature that follows (arXiv 2604.14768, eq. 3-6)."""

import math
from collections.abc import Sequence


def token_entropy(logprobs: Sequence[float], base: float = 2.0, renormalise: bool = False) -> float:
    """Eq. 3 over the likeliest tokens of one place: -sum p log p, in units of `base` (bits for 2).

    `logprobs` are natural. An API gives only the top of the distribution: as it stands the sum is
    a lower bound; `renormalise` treats the top as if it were all. No tokens, no entropy: 0.
    """
    probabilities = [math.exp(min(value, 0.0)) for value in logprobs if value > -math.inf]
    total = math.fsum(probabilities)
    if renormalise and total > 0:
        probabilities = [p / total for p in probabilities]
    entropy = -math.fsum(p * math.log(p) for p in probabilities if p > 0)
    return max(0.0, entropy / math.log(base))


def step_entropy(entropies: Sequence[float]) -> float:
    """Eq. 4: the mean entropy of a step's tokens; 0 for a step without known tokens."""
    return math.fsum(entropies) / len(entropies) if entropies else 0.0


def mutation_temperature(
    entropy: float, base_temperature: float, factor: float, most: float
) -> float:
    """Eq. 6: tau = tau_0 (1 + lambda H), and at most `most`.

    The bound is ours: with H in bits over five tokens the formula reaches 7.6, which is noise, and
    servers refuse more than 2.
    """
    return min(base_temperature * (1 + factor * entropy), most)
