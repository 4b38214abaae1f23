"""Reward functions that judge rows here and score rollouts in a trainer.

Every file of this folder works alone: it imports nothing of Synthmill and nothing heavy, and may be
copied into a trainer's environment. Each has `compute_score` (verl's signature) and `trl_reward`
(TRL's and ms-swift's). A row names its reward in the column `reward`; `reward(name)` finds it.
"""

import importlib
from collections.abc import Callable

# The file that scores each reward, with the versions it still computes.
FILES = {
    "answer_equivalence@1": "math_answers",
    "exact_match@1": "squad",
    "token_f1@1": "squad",
    "videossr.counting@1": "videossr",
    "videossr.grounding@1": "videossr",
    "videossr.jigsaw@1": "videossr",
}


def reward(name: str) -> Callable[..., float]:
    """The function of a row's `reward` (``name@version``): `f(response, answer, args)`.

    `args` is the row's `reward_args` as a dict, or None. It returns a score in [0, 1].

    Raises:
        ValueError: no file here computes that reward (reasoning-gym's scorers are in its package).
    """
    if name not in FILES:
        raise ValueError(f"no reward {name!r}; known: {', '.join(FILES)}")
    compute_score = importlib.import_module(f"{__name__}.{FILES[name]}").compute_score

    def score(response: str, answer: str, args: dict[str, object] | None = None) -> float:
        return float(compute_score(name, response, answer, args))

    return score
