"""The settings of CoTEvol, and its presets.

Defaults are ours where the benchmark shows that they win; the preset `paper` holds the values of
arXiv 2604.14768. Descriptions say where the paper leaves a value open.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from synthmill.schemas.base import Settings

Strategy = Literal["cotevol", "best_of_n", "self_refine"]
Emitted = Literal["sft", "rlvr", "preference"]

PRESETS: dict[str, dict[str, Any]] = {
    "ours": {},
    "paper": {
        "fitness": "paper",
        "mutation": "resample",
        "mutation_target": "offspring",
        "step_choice": "highest",
        "mutations_per_round": 1,
        "crossovers_per_round": 1,
        "cross_failures": True,
        "author": "rewrite",
        "top_logprobs": 5,
        "check_arithmetic": False,
        "init_temperature": 0.6,
        "init_attempts": 4,
        "rounds": 3,
        "stop_when_converged": False,
    },
}


class CotevolSettings(Settings):
    """How traces are searched for. A preset fills in the settings that are not given."""

    preset: Literal["ours", "paper"] = Field(
        default="ours", description="values of the settings that are not given"
    )
    strategy: Strategy = Field(
        default="cotevol", description="the method, or a baseline to compare it with"
    )
    emit: list[Emitted] = Field(
        default=["sft", "rlvr", "preference"], description="kinds of rows to make of an evolution"
    )
    pairs: int = Field(default=2, ge=0, description="preference rows of a problem at most")

    population_size: int = Field(default=4, ge=2, description="N_pop; the paper's 4")
    rounds: int = Field(default=8, ge=0, description="rounds at most; the paper's 3")
    max_tokens_per_problem: int | None = Field(
        default=None,
        gt=0,
        description="generated tokens at most, critics and authors counted; ours",
    )
    stop_when_converged: bool = Field(
        default=True,
        description="stop when all survivors are right and the best stayed the best; ours, the "
        "paper names no test",
    )

    init_temperature: float = Field(
        default=0.6, ge=0, le=2, description="tau_0 of the first traces; the paper's 0.6"
    )
    top_p: float = Field(default=0.95, gt=0, le=1, description="the released code's 0.95")
    max_tokens: int = Field(default=2048, gt=0, description="of one answer; the paper's 2048")
    distinctness: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="ROUGE-L above which traces are copies; the paper's",
    )
    init_attempts: int = Field(
        default=1,
        ge=1,
        description="times the first population is filled up; ours, the paper repeats until full",
    )
    fallback_temperatures: list[float] = Field(
        default=[0.4, 0.2, 0.0],
        description="of new traces when no round found a right answer; the paper lowers the "
        "temperature 'progressively', the values are ours",
    )

    fitness: Literal["ranked", "paper"] = Field(
        default="ranked", description="right, then format, then the rest; or the paper's sum"
    )
    check_arithmetic: bool = Field(
        default=True,
        description="a trace that writes down a false equation between numbers is at fault, "
        "whatever its answer; ours, the paper looks at answers alone",
    )
    selection_temperature: float = Field(
        default=1.0, gt=0, description="of the Boltzmann selection; the paper gives none"
    )

    crossovers_per_round: int = Field(default=1, ge=0, description="the paper's 1")
    cross_failures: bool = Field(
        default=False,
        description="cross two wrong parents too, as in the paper; ours waits for a right one, "
        "because until then mutations find more for the same tokens",
    )
    author: Literal["continue", "rewrite"] = Field(
        default="continue",
        description="the author continues the steps that the critic keeps, or rewrites the whole "
        "solution as in the paper",
    )

    mutations_per_round: int = Field(default=6, ge=0, description="the paper's 1")
    mutation: Literal["alternatives", "resample"] = Field(
        default="alternatives",
        description="take an untried alternative of an uncertain token and continue from there "
        "(ours), or regenerate from the step on at a higher temperature (the paper, and where a "
        "model gives no log-probabilities)",
    )
    branch_temperature: float = Field(
        default=0.0, ge=0, le=2, description="of the text after an alternative; ours"
    )
    likelihood_exponent: float = Field(
        default=0.5,
        ge=0,
        description="exponent of an alternative's likelihood, which is weighed against the tokens "
        "it takes: 1 trusts the model, 0 takes the cheapest; ours",
    )
    mutation_target: Literal["parent", "offspring"] = Field(
        default="parent",
        description="what `resample` mutates: a parent, or as in the released code the offspring",
    )
    step_choice: Literal["highest", "proportional"] = Field(
        default="proportional",
        description="the step that `resample` mutates: of highest entropy (the paper), or drawn "
        "in proportion to entropy",
    )
    entropy_factor: float = Field(default=5.0, ge=0, description="lambda; the paper's 5")
    max_temperature: float = Field(
        default=1.5, ge=0, le=2, description="bound of the mutation temperature; ours"
    )
    top_logprobs: int = Field(
        default=10,
        ge=1,
        le=20,
        description="likeliest tokens known of a place; the released code's 5 leave out half of "
        "the digits",
    )
    entropy_base: float = Field(
        default=2.0,
        gt=1,
        description="base of the logarithm: the paper names none, its code counts bits",
    )
    renormalize: bool = Field(
        default=False,
        description="treat the top tokens as the whole distribution; the code does not",
    )

    ground_truth_in_prompts: bool = Field(
        default=False,
        description="the paper's GT mode: mutation prompts hold the answer; rows say so",
    )
    show_labels: bool = Field(
        default=True,
        description="tell critic and author which parent is right, as the paper does",
    )

    refine_rounds: int = Field(
        default=2, ge=0, description="rounds of the strategy self_refine; the paper's baseline: 2"
    )
    samples: int = Field(
        default=8, ge=1, description="traces of the strategy best_of_n; the paper's baseline: 8"
    )

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("preset") in PRESETS:
            return {**PRESETS[given["preset"]], **given}
        return given
