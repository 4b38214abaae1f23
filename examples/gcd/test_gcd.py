import importlib.util
import json
import math
from itertools import islice
from pathlib import Path

from datasets import load_dataset

import synthmill
from examples.gcd.flashcards import flashcard
from examples.gcd.gcd import REWARD, Gcd, Pairs, PairsSettings, solve
from examples.gcd.gcd_reward import compute_score, trl_reward
from synthmill.schemas.messages import assistant, user
from synthmill.testing import make_row, run_recipe

HERE = Path(__file__).parent


def test_the_source_yields_the_same_pairs_again() -> None:
    source = Pairs(PairsSettings(largest=50))
    pairs = list(islice(source.items(), 100))
    assert pairs == list(islice(source.items(), 100))
    assert len({pair.key for pair in pairs}) == 100 and max(pair.a for pair in pairs) <= 50


def test_solutions_end_with_the_answer() -> None:
    assert solve(12, 18).endswith(r"\boxed{6}.")
    assert solve(12, 18, wrong=True).endswith(r"\boxed{7}.")


def test_the_recipe_meets_its_target(tmp_path: Path) -> None:
    result = run_recipe(HERE / "recipe.yaml", tmp_path, target=30)
    assert result.report.stop == "target met" and len(result.accepted) == 30
    assert {row.kind for row in result.accepted} == {"sft", "rlvr"}
    for row in result.accepted:
        a, b = (int(word.strip("?")) for word in row.messages[0].text.split()[-3::2])
        assert row.answer == str(math.gcd(a, b)) and row.generator == Gcd.name + "@1"
    reasons = {row.verdicts[-1].filter for row in result.rejected}
    assert reasons == {"answer_equivalence"}  # of the solutions with a slip


def test_the_reward() -> None:
    assert compute_score(REWARD, r"So \boxed{6}.", "6") == 1.0
    assert compute_score(REWARD, "It is 3", "6") == 0.1
    assert compute_score(REWARD, "No idea", "6") == 0.0
    assert trl_reward(["6", [{"content": "7"}]], ["6", "6"]) == [1.0, 0.0]
    assert synthmill.rewards.reward(REWARD, HERE)("6", "6") == 1.0


def test_an_export_carries_the_reward(tmp_path: Path) -> None:
    result = run_recipe(HERE / "recipe.yaml", tmp_path, target=10)
    for exporter in ("verl", "trl"):
        out = tmp_path / exporter
        summary = synthmill.export("gcd", exporter, out, home=result.home)
        assert summary.rewards == {REWARD: "rewards/gcd_reward.py"}
        carried = out / "rewards" / "gcd_reward.py"
        assert carried.read_text() == (HERE / "gcd_reward.py").read_text()
        assert json.loads((out / "export.json").read_text())["rewards"] == summary.rewards
    (split,) = load_dataset(str(tmp_path / "verl"), "text", cache_dir=tmp_path).values()
    spec = importlib.util.spec_from_file_location("carried", carried)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)  # as a trainer does
    for row in split:
        truth = row["reward_model"]["ground_truth"]
        assert module.compute_score(row["data_source"], truth, truth, row["extra_info"]) == 1.0


def test_the_exporter() -> None:
    row = make_row(kind="rlvr", messages=[user("gcd of 4 and 6?")], answer="2")
    assert flashcard(row) == {"front": "gcd of 4 and 6?", "back": "2"}
    assert flashcard(make_row(messages=[user("gcd?"), assistant("2")])) is None
