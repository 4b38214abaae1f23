"""The judge, and the leak guard."""

import pytest

from synthmill.generators.cotevol.search import MAX_ANSWER_CHARS, AnswerJudge, false_equation, leak
from tests.generators.cotevol.scripted import ScriptedContext, problem, sums


class Counting(ScriptedContext):
    """Counts what goes to a worker."""

    work = 0

    async def run_in_worker(self, call, *args, **kwargs):  # type: ignore[no-untyped-def]
        self.work += 1
        return call(*args, **kwargs)


@pytest.mark.parametrize(
    ("answer", "truth", "right", "work"),
    [
        ("56", "56", True, 0),
        (" 56.0 ", "56", True, 0),
        ("1,234", "1234", True, 0),
        ("\\frac{1}{2}", "0.5", True, 0),
        ("57", "56", False, 0),
        ("2\\sqrt{2}", "\\sqrt{8}", True, 1),
        ("x+1", "1+x", True, 1),
        ("", "56", False, 0),
        (None, "56", False, 0),
        ("9" * (MAX_ANSWER_CHARS + 1), "56", False, 0),
    ],
)
async def test_right(answer: str | None, truth: str, right: bool, work: int) -> None:
    context = Counting(sums)
    judge = AnswerJudge(problem(answer=truth), context)
    assert await judge.right(answer) is right
    assert await judge.right(answer) is right
    assert context.work == work


async def test_nobody_has_ground_truth_without_a_truth() -> None:
    assert await AnswerJudge(problem(answer=None), Counting(sums)).right("5") is None


async def test_a_worker_that_dies_makes_no_right_answer() -> None:
    class Dying(ScriptedContext):
        async def run_in_worker(self, call, *args, **kwargs):  # type: ignore[no-untyped-def]
            raise TimeoutError

    assert await AnswerJudge(problem(answer="\\sqrt{8}"), Dying(sums)).right("2\\sqrt{2}") is False


async def test_a_scorer_of_its_own_judges() -> None:
    pytest.importorskip("reasoning_gym")
    from synthmill.sources.reasoning_gym import ReasoningGymSource

    settings = ReasoningGymSource.Settings(tasks=[{"name": "chain_sum", "size": 1}])
    (item,) = ReasoningGymSource(settings).items()
    judge = AnswerJudge(item, Counting(sums))
    assert await judge.right(item.answer) is True
    assert await judge.right("qwzx") is False


STEPS = "Step 1: 7 * 8 = 56\n"


@pytest.mark.parametrize(
    ("text", "leaks"),
    [
        (STEPS + "The answer is \\boxed{56}.", False),
        (STEPS + "The answer is \\boxed{57}.", True),
        (STEPS + "This matches the given answer \\boxed{56}", True),
        (STEPS + "as the reference answer says \\boxed{56}", True),
        (STEPS + "So the correct final answer is \\boxed{56}", False),
        ("Since the answer is 56, we get\n" + STEPS + "\\boxed{56}", True),
    ],
)
def test_leaks(text: str, leaks: bool) -> None:
    assert (leak("What is 7 * 8?", text) is not None) == leaks


def test_the_guard_is_quick_on_hostile_text() -> None:
    for text in ("the " * 300_000, "the given " * 100_000, "answer " * 200_000):
        assert leak("?", text) is None


def test_a_miscalculation_is_a_fault_whatever_the_answer() -> None:
    assert false_equation("Step 1: 7 * 8 = 56\nThe answer is \\boxed{56}.") is None
    assert false_equation("Step 1: 7 * 8 = 54\nThe answer is \\boxed{56}.") is not None
