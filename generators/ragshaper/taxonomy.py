"""The paper's taxonomy of distractors: four types on two levels, and how each is built."""

from typing import Literal, NamedTuple

Kind = Literal["doppelganger", "false_shortcut", "fragmented_puzzle", "subjective_fallacy"]
Level = Literal["perception", "cognition"]


class Recipe(NamedTuple):
    """What a type is: its level, the guideline for its writer, the skill that it trains."""

    level: Level
    guideline: str
    skill: str


# Definitions, guidelines and skills: the paper's table of distractor types, in our words.
TAXONOMY: dict[Kind, Recipe] = {
    "doppelganger": Recipe(
        "perception",
        "Write about the same thing in an adjacent edition, version or year: change the value, "
        "keep the rest, and state the other edition, version or year explicitly.",
        "precise checking of metadata",
    ),
    "false_shortcut": Recipe(
        "cognition",
        "The truth goes from A over B to C. Write that A leads to a wrong C directly, skip B, and "
        "give a vague justification in hedged wording.",
        "persistence: refuse the shortcut and look for the step between",
    ),
    "fragmented_puzzle": Recipe(
        "cognition",
        "Write documents that each hold one part only (such as half a year), look complete by "
        "themselves, and name the scope that they cover.",
        "noticing that a part is not the whole",
    ),
    "subjective_fallacy": Recipe(
        "cognition",
        "Write a review or memory in the first person whose central claim is plausible and wrong, "
        "with its subjective voice plain to see.",
        "telling fact from opinion",
    ),
}
KINDS: tuple[Kind, ...] = tuple(TAXONOMY)
