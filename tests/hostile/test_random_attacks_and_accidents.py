"""Small versions of the benchmarks that attack and disturb the command line at random.

`benchmarks.kills` has none: with four writers its smallest run takes a minute.
`tests/pipelines/test_kill.py` kills runs.
"""

import os
from pathlib import Path

from benchmarks.faults import FAULTS, MOUNTED, measure
from benchmarks.fuzz.__main__ import attack, cases


def test_no_mutated_input_ends_in_a_defect_or_leaves_its_folder(tmp_path: Path) -> None:
    counts, faults = attack(cases(48, seed=1), tmp_path, workers=2)
    assert counts.total() == 48
    assert faults == []


def test_a_disturbed_command_loses_nothing_and_succeeds_afterwards() -> None:
    faults = [fault for fault in FAULTS if os.getuid() == 0 or fault not in MOUNTED]
    outcomes, wrong = measure(["delete-source"], faults, tries=1, seed=0, stopped=2.0)
    assert len(outcomes) == len(faults)
    assert wrong == []
