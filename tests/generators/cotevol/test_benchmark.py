"""The figures of the benchmark, at worked values."""

from benchmarks.cotevol.figures import Spread, likeness, lucky, programs, success
from benchmarks.cotevol.methods import METHODS, settings_of
from benchmarks.cotevol.report import page
from benchmarks.cotevol.searches import Found, Search

ONE = "Step 1: 1 + 2 = 3\nStep 2: 2 * 2 = 4\nThe answer is \\boxed{4}."
REORDERED = "Step 1: 2 * 2 = 4\nStep 2: 1 + 2 = 3\nThe answer is \\boxed{4}."
OTHER = "Step 1: 2 + 2 = 4\nThe answer is \\boxed{4}."


def search(*found: tuple[str, bool, int]) -> Search:
    return Search("p", tuple(Found(text, right, spent, "first") for text, right, spent in found))


def test_success_counts_what_was_done_in_time() -> None:
    searches = [search((ONE, False, 10), (ONE, True, 30)), search((ONE, True, 10)), search()]
    assert [success(searches, tokens) for tokens in (9, 10, 29, 30)] == [0, 1 / 3, 1 / 3, 2 / 3]


def test_sound_success_leaves_out_lucky_traces() -> None:
    chance = ONE.replace("1 + 2 = 3", "1 + 2 = 4")
    searches = [search((chance, True, 10)), search((chance, True, 10), (ONE, True, 20))]
    assert [success(searches, 10), success(searches, 10, sound=True)] == [1, 0]
    assert success(searches, 20, sound=True) == 0.5
    assert [lucky(searches, tokens) for tokens in (9, 10, 20)] == [None, 1, 2 / 3]


def test_programs_do_not_depend_on_the_order_of_steps() -> None:
    searches = [search((ONE, True, 1), (REORDERED, True, 2), (OTHER, True, 3), (OTHER, False, 3))]
    assert [programs(searches, tokens) for tokens in (0, 2, 3)] == [None, 1, 2]


def test_likeness_needs_two_right_traces() -> None:
    assert likeness([search((ONE, True, 1), (ONE, True, 2))], 9) is None
    found = likeness([search((ONE, True, 1), (OTHER, True, 2))], 9)
    assert found is not None and 0 < found < 1


def test_spread() -> None:
    assert str(Spread.of([0.5, 0.7])) == "0.600 ± 0.141"
    assert str(Spread.of([0.5])) == "0.500"


def test_no_method_sees_the_truth_and_all_have_the_same_budget() -> None:
    for method in METHODS:
        settings = settings_of(method, 1000)
        assert not settings.ground_truth_in_prompts
        assert settings.max_tokens_per_problem == 1000
        assert not settings.stop_when_converged


def test_report() -> None:
    runs = [[search((ONE, True, 10)), search((ONE, False, 10))]]
    told = page("hard", dict.fromkeys(METHODS, runs), 40.0, "the command")
    assert "Made by `the command`: 2 problems, 40 tokens a trace" in told
    assert "| CoTEvol | 1 | 0.500 |" in told
    assert "| 16 | 1.00 | 1.00 (0.6) |" in told
