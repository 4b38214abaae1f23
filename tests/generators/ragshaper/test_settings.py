"""Settings that cannot work are refused before anything is spent."""

from typing import Any

import pytest
from pydantic import ValidationError

from synthmill.generators.ragshaper.settings import LIGHT, RagShaperSettings, TreeSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"navigation": {"injected": 5}},  # no room for the truth among five documents
        {"retrieval": {"k": 3}, "navigation": {"injected": 3}},
        {"navigation": {"keep_f1": 1.0}},  # nothing is above it
        {"questions": {"answer_f1": 0}},  # anything would be right
        {"questions": {"min_hops": 0}},
        {"final_start": ""},
        {"preset": "light", "tree": None},
        {"preset": "light", "tree": 3},
        {"tree": {"max_depth": 5000}},  # deeper than Python's stack
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RagShaperSettings.model_validate(wrong)


def test_the_light_preset_yields_to_what_is_said() -> None:
    said = RagShaperSettings.model_validate({"preset": "light", "tree": {"max_depth": 2}})
    assert said.tree.max_depth == 2
    assert said.tree.min_distractors == LIGHT["tree"]["min_distractors"]
    assert RagShaperSettings(preset="light", tree=TreeSettings()).tree == TreeSettings()
