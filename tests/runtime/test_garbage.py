"""The garbage collector's settings are those of before once a run has ended."""

import gc

import pytest

from synthmill.runtime.garbage import YOUNG_OBJECTS, rare_collections


def test_settings_are_restored_also_after_an_error() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with pytest.raises(ValueError, match="ends"), rare_collections():
        assert gc.get_threshold()[0] == YOUNG_OBJECTS
        assert gc.get_freeze_count() > frozen
        raise ValueError("the run ends")
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() <= frozen
