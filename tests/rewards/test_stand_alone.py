"""Each file of rewards/ works alone: copied into an empty folder, without any installed package."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from synthmill import rewards
from synthmill.generators.cotevol import rows as cotevol
from synthmill.generators.ragshaper import rows as ragshaper
from synthmill.generators.videossr.generator import Videossr
from synthmill.rewards import videossr

FOLDER = Path(rewards.__file__).parent
FILES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
# A response with its truth, for each file: (data_source, response, truth, extra_info, score).
SCORED = {
    "document_tables": [
        ("document.table@1", "<fcel>ab<nl>", "<table><tr><td>ax</td></tr></table>", None, 0.75),
        ("document.table_structure", "<fcel>ab<nl>", "<fcel>ax<nl>", None, 1.0),
    ],
    "documents": [
        ("document.text@1", "kitten", "sitting", None, 4 / 7),
        ("document.formula@1", r"\dfrac{1}{x^{2}}", r"\frac1{x^2}", None, 1.0),
    ],
    "math_answers": [
        ("answer_equivalence@1", r"<think>8?</think>So 3+4=7. \boxed{7}", "7.0", None, 1.0),
        ("answer_equivalence", "The answer is 8.", "7", None, 0.0),
        ("answer_equivalence", "The answer is 7.", "7", {"boxed_only": True}, 0.0),
        ("answer_equivalence", "I do not know", "7", None, 0.0),
        ("answer_equivalence", r"\boxed{x+1}", "1+x", None, 0.0),  # needs math-verify
    ],
    "mmlongbench": [
        ("mmlongbench@1", "So <answer>18.3</answer>", "18.29%", {"answer_format": "Float"}, 1.0),
        ("mmlongbench", "['Jun', 'Aug']", "['June', 'Aug']", {"answer_format": "List"}, 0.75),
        ("mmlongbench", "sitting", "kitten", None, 4 / 7),
    ],
    "squad": [
        (
            "token_f1@1",
            "We read. <FINAL_ANSWER>The Eiffel Tower</FINAL_ANSWER>",
            "Eiffel Tower",
            None,
            1.0,
        ),
        ("token_f1", "red red blue", "red blue blue", None, 2 / 3),
        ("token_f1", "red red blue", "red blue blue", {"above": 0.9, "corpus": "x"}, 0.0),
        ("token_f1", "red", "Red.", {"above": 0.9}, 1.0),
        ("exact_match@1", "<think>x</think>a red", "Red", None, 1.0),
    ],
    "videossr": [("videossr.jigsaw@1", "123", "123", None, 1.0)],
}
SCRIPT = """
import json, sys
sys.path.insert(0, {folder!r})
import {name} as reward
rows = json.loads({rows!r})
scores = [reward.compute_score(*row[:4]) for row in rows]
keys = ("data_source", "completions", "ground_truth", "extra_info")
batch = dict(zip(keys, map(list, zip(*rows))))
batch["completions"] = [[{{"role": "assistant", "content": c}}] for c in batch["completions"]]
loaded = {{m.partition(".")[0] for m in sys.modules}} - {{{name!r}, "__main__"}}
foreign = loaded - sys.stdlib_module_names
print(json.dumps([scores, reward.trl_reward(**batch), sorted(foreign)]))
"""


def test_every_file_is_tested() -> None:
    assert list(SCORED) == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_copy_alone_scores(name: str, tmp_path: Path) -> None:
    shutil.copy(FOLDER / f"{name}.py", tmp_path)
    rows = json.dumps([row[:4] for row in SCORED[name]])
    script = SCRIPT.format(folder=str(tmp_path), name=name, rows=rows)
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert run.returncode == 0, run.stderr
    scores, batch, foreign = json.loads(run.stdout)
    expected = [row[4] for row in SCORED[name]]
    assert scores == pytest.approx(expected)
    assert batch == pytest.approx(expected)
    assert foreign == []


def test_rewards_of_rows_are_found_by_name() -> None:
    assert rewards.reward("answer_equivalence@1")(r"\boxed{\sqrt{8}}", r"2\sqrt{2}") == 1.0
    assert rewards.reward("answer_equivalence@1")(r"\boxed{\sqrt{8}}", r"3\sqrt{2}") == 0.0
    assert rewards.reward("token_f1@1")("red red blue", "red blue blue", {"above": 0.5}) == 1.0
    assert rewards.reward("videossr.counting@1")("1,2,3", "1,2,3", {"strict": True}) == 1.0
    with pytest.raises(ValueError, match="no reward 'token_f1@2'; known: answer_equivalence@1"):
        rewards.reward("token_f1@2")


def test_the_rewards_that_generators_write_are_found() -> None:
    written = [cotevol.REWARD, ragshaper.REWARD]
    written += [f"videossr.{task}@{Videossr.version}" for task in videossr.SMOOTH]
    assert all(callable(rewards.reward(name)) for name in written)


def test_importing_the_package_loads_no_file_of_it() -> None:
    code = "import sys, synthmill.rewards; print([m for m in sys.modules if 'rewards.' in m])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
