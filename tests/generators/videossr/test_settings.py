"""Settings that no video could serve are refused before one is read."""

import pytest
from pydantic import ValidationError

from synthmill.generators.videossr.settings import VideossrSettings, parse_sub_type
from synthmill.generators.videossr.viubench import ViubenchSettings


@pytest.mark.parametrize(
    "wrong",
    [
        {"grounding": {"length": [8, 60]}},  # of 48 frames
        {"grounding": {"length": [1, 4]}},  # one frame cannot be shuffled
        {"grounding": {"length": [9, 8]}},
        {"grounding": {"parameters": {"zoom_in": [0.5, 1.5]}}},  # there is nothing outside
        {"grounding": {"parameters": {"noise_sigma": [70, 35]}}},
        {"grounding": {"parameters": {"stutter_holds": [0, 2]}}},
        {"counting": {"size": [0.2, 0.9]}},  # it would leave the frame
        {"counting": {"color": [0, 300]}},
        {"mix": {"jigsaw/24": 1}, "sampling": {"frames": 16}},
        {"mix": {"counting/easy": float("nan")}},
        {"mix": {"counting/easy": float("inf")}},
        {"mix": {"counting/easy": 0}},
    ],
)
def test_what_cannot_work_is_refused(wrong):
    with pytest.raises(ValidationError):
        VideossrSettings(**wrong)


def test_a_benchmark_is_held_to_its_counts():
    settings = ViubenchSettings(counts={"jigsaw/08": 5})
    assert settings.counts == {"jigsaw/8": 5}
    assert settings.weights == {parse_sub_type("jigsaw/8"): 5.0}
    with pytest.raises(ValidationError):
        ViubenchSettings(counts={"jigsaw/24": 5}, sampling={"frames": 16})
