"""What is compared: each method is a name and settings of the generator `cotevol`.

None stops before the tokens are spent, so that all are compared at equal tokens; none sees the
ground truth in a prompt; all are judged by the same judge, by the answer alone as in the paper. How
many of the right answers are sound is counted afterwards.
"""

from typing import Any

from synthmill.generators.cotevol.settings import CotevolSettings

ENDLESS = 100_000  # rounds or samples: the tokens are the bound
LONGEST_TRACE = 400  # tokens; four times a usual hard trace
# Best-of-n is given its own best temperature, out of these; the first is the paper's.
TEMPERATURES = (0.6, 0.8, 1.0, 1.3)
PAPER_TEMPERATURE = "best-of-n, 0.6"

# The first population as it is drawn, then mutations of parents alone.
PAPER_MUTATION = {
    "preset": "paper",
    "init_attempts": 1,
    "crossovers_per_round": 0,
    "mutation_target": "parent",
}

COMPARED: dict[str, dict[str, Any]] = {
    **{
        f"best-of-n, {temperature}": {"strategy": "best_of_n", "init_temperature": temperature}
        for temperature in TEMPERATURES
    },
    "self-refine": {"strategy": "self_refine"},
    "CoTEvol, paper": {"preset": "paper"},
    "CoTEvol": {},
}
# Parts of the methods, on request.
ABLATIONS: dict[str, dict[str, Any]] = {
    "CoTEvol, mutation of the paper": PAPER_MUTATION,
    "CoTEvol, step in proportion": {**PAPER_MUTATION, "step_choice": "proportional"},
    "CoTEvol, failures crossed": {"cross_failures": True},
    "CoTEvol, likelihood alone": {
        "likelihood_exponent": 100.0
    },  # beside which the cost counts for nothing
    "CoTEvol, five alternatives": {"top_logprobs": 5},
}
METHODS = COMPARED | ABLATIONS


def settings_of(method: str, tokens: int) -> CotevolSettings:
    """The settings of a method under a budget of `tokens` a problem."""
    return CotevolSettings.model_validate(
        {
            "max_tokens_per_problem": tokens,
            "max_tokens": LONGEST_TRACE,
            "rounds": ENDLESS,
            "samples": ENDLESS,
            "refine_rounds": ENDLESS,
            "stop_when_converged": False,
            "fallback_temperatures": [],
            "check_arithmetic": False,
            **METHODS[method],
        }
    )
