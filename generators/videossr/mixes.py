"""Sub-types of the three tasks, and the mixes of the paper."""

from math import inf
from typing import NamedTuple

from synthmill.generators.videossr.perturb.registry import PERTURBATIONS
from synthmill.schemas.errors import nearest

TASKS = ("grounding", "counting", "jigsaw")
LEVELS = ("easy", "hard")
MAX_CLIPS = 24  # ours: more clips than that have fewer than two of 48 frames


class SubType(NamedTuple):
    """A task and its variant: a perturbation, a level, or a number of clips."""

    task: str
    variant: str

    def __str__(self) -> str:
        return f"{self.task}/{self.variant}"


# Section 4.2 and train.sh: 12k grounding in four types, 12k jigsaw, 6k counting.
VIDEOSSR_30K = {
    "grounding/channel_swap": 3000.0,
    "grounding/mirror": 3000.0,
    "grounding/zoom_out": 3000.0,
    "grounding/rotate180": 3000.0,
    "counting/easy": 6000.0,
    "jigsaw/6": 12000.0,
}
# VIUBench: nine sub-types, 300 questions each.
VIUBENCH = {
    "grounding/channel_swap": 300.0,
    "grounding/mirror": 300.0,
    "grounding/zoom_out": 300.0,
    "grounding/rotate180": 300.0,
    "grounding/shuffle": 300.0,
    "counting/easy": 300.0,
    "counting/hard": 300.0,
    "jigsaw/6": 300.0,
    "jigsaw/8": 300.0,
}
EVERYTHING = {f"grounding/{name}": 1.0 for name in PERTURBATIONS} | {
    "counting/easy": 1.0,
    "counting/hard": 1.0,
    "jigsaw/6": 1.0,
    "jigsaw/8": 1.0,
}
MIXES = {"videossr30k": VIDEOSSR_30K, "viubench": VIUBENCH, "everything": EVERYTHING}


def check_mix(mix: str | dict[str, float]) -> dict[SubType, float]:
    """Weights by sub-type.

    Raises:
        ValueError: there is no such mix or sub-type, or no weight is above 0.
    """
    if isinstance(mix, str):
        if mix not in MIXES:
            raise ValueError(f"there is no mix {mix!r}{nearest(mix, MIXES)}; known: {list(MIXES)}")
        mix = MIXES[mix]
    weights = {parse_sub_type(name): weight for name, weight in mix.items()}
    if not all(0 <= weight < inf for weight in weights.values()) or not any(weights.values()):
        raise ValueError("a mix needs finite weights of 0 or more, and one above 0")
    return weights


def parse_sub_type(name: str) -> SubType:
    """The sub-type that ``task/variant`` names.

    Raises:
        ValueError: there is none.
    """
    task, _, variant = name.partition("/")
    if task == "jigsaw" and variant.isascii() and variant.isdigit():
        if not 2 <= int(variant) <= MAX_CLIPS:
            raise ValueError(f"a jigsaw has 2 to {MAX_CLIPS} clips, not {variant}")
        return SubType(task, str(int(variant)))
    if (task == "grounding" and variant in PERTURBATIONS) or (
        task == "counting" and variant in LEVELS
    ):
        return SubType(task, variant)
    raise ValueError(f"there is no sub-type {name!r}{nearest(name, EVERYTHING)}")
