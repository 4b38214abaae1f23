"""The reward of the gcd problems: 1 for the right number, a little for a proper divisor of it.

Rows name it `./gcd_reward.py:compute_score@1`; an export carries this file in its folder `rewards`.
It imports the standard library only, so that it works in a trainer's environment.

* verl: ``custom_reward_function.path=rewards/gcd_reward.py``
* TRL, ms-swift: ``reward_funcs=[gcd_reward.trl_reward]``
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

DIVISOR = 0.1  # ours


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> float:
    """The score of a response, 0..1, by its last number; verl calls it."""
    numbers = re.findall(r"\d{1,9}", solution_str)
    if not numbers:
        return 0.0
    said, true = int(numbers[-1]), int(ground_truth)
    if said == true:
        return 1.0
    return DIVISOR if said > 1 and true % said == 0 else 0.0


def trl_reward(
    completions: Sequence[Any], ground_truth: Sequence[str], **columns: Any
) -> list[float]:
    """The scores of a batch of texts or message lists; TRL and ms-swift call it."""
    texts = [c if isinstance(c, str) else str(c[-1]["content"]) for c in completions]
    return [compute_score("", t, truth) for t, truth in zip(texts, ground_truth, strict=True)]
