"""Small versions of the benchmarks that attack, kill and disturb the command line at random."""

import os
from pathlib import Path

import pytest

from benchmarks.faults import MOUNTED, measure
from benchmarks.fuzz.__main__ import attack, cases


def test_no_mutated_input_ends_in_a_defect_or_leaves_its_folder(tmp_path: Path) -> None:
    counts, faults = attack(cases(150, seed=1), tmp_path, workers=2)
    assert counts.total() == 150
    assert faults == []


@pytest.mark.parametrize("fault", ["full disk", "clock back", "few files", "stopped"])
def test_a_disturbed_command_loses_nothing_and_succeeds_afterwards(fault: str) -> None:
    if fault in MOUNTED and os.getuid() != 0:
        pytest.skip("needs the right to mount a file system")
    outcomes, wrong = measure(["delete-source"], [fault], tries=1, seed=0, stopped=2.0)
    assert len(outcomes) == 1
    assert wrong == []
