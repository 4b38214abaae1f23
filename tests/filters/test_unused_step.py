"""Steps that lead nowhere are found, and steps that are used in any way are not."""

import itertools
import time

import pytest

from scripts.embedded_model.arithmetic import TIERS, problems
from synthmill.filters.verifiers.unused_step import UnusedStep
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.row import Candidate

QUESTION = "Ann has 3 boxes of 6 apples and 12 packs of 4. She loses 20. How many are left?"


def judge(trace: str, question: str = QUESTION, **changes: object) -> tuple[str, str | None]:
    values = {"kind": "sft", "messages": [user(question), assistant(trace)], **changes}
    verdict = UnusedStep().judge(Candidate.model_validate(values))
    return verdict.status, verdict.detail


@pytest.mark.parametrize(
    ("trace", "unused"),
    [
        (
            "Step 1: 3 * 6 = 18\nStep 2: 12 * 4 = 48\nStep 3: 48 - 20 = 28\n\\boxed{28}",
            "3 * 6 = 18",
        ),
        (
            "We get 3 * 6 = 18.\nThen 12 * 4 = 48.\n48 - 20 = 28.\n\\boxed{28}",
            "We get 3 * 6 = 18.",
        ),
        (
            "Step 1: 7 / 2 = 3.5\nStep 2: 12 * 4 = 48\nStep 3: 48 - 1 = 47\n\\boxed{47}",
            "7 / 2 = 3.5",
        ),
    ],
)
def test_a_step_that_leads_nowhere(trace: str, unused: str) -> None:
    assert judge(trace) == ("fail", unused)


@pytest.mark.parametrize(
    "trace",
    [
        "Step 1: 3 * 6 = 18\nStep 2: 12 * 4 = 48\nStep 3: 18 + 48 - 20 = 46\n\\boxed{46}",
        "Step 1: 3 * 6 = 18\nStep 2: so she has 18 of one kind\nStep 3: 48 - 2 = 46\n\\boxed{46}",
        "Step 1: 1 / 4 = 0.25\nStep 2: that is 25%\nStep 3: 48 - 2 = 46\n\\boxed{46}",
        "Step 1: 10 / 3 = 3.333\nStep 2: about 3.33 each\nStep 3: 4 + 42 = 46\n\\boxed{46}",
        "Step 1: 2 + 5 = 7\nStep 2: seven of them go\nStep 3: 50 - 4 = 46\n\\boxed{46}",
        "Step 1: 3 - 8 = -5\nStep 2: she owes 5\nStep 3: 51 - 5 = 46\n\\boxed{46}",
        "Step 1: 18 + 48 - 20 = 46\nStep 2: check: 46 + 20 = 66\nStep 3: it holds\n\\boxed{46}",
        "Step 1: try 5 * 5 = 25, too small\nStep 2: 23 * 2 = 46\n\\boxed{46}",
        "Step 1: 3 + 3 = 6\nStep 2: 50 - 4 = 46\n\\boxed{46}",  # 6 is given
        "Step 1: 40 + 6 = 46\nStep 2: 2 * 23 = 46\nThe answer is \\boxed{46}.",
        "Step 1: 18 + 48 - 20 = 46\n\\boxed{46}",
    ],
)
def test_steps_that_are_used_or_only_look(trace: str) -> None:
    assert judge(trace)[0] == "pass"


def test_answers_in_words_and_rows_without_a_response_are_skipped() -> None:
    trace = "Step 1: 3 * 6 = 18\nStep 2: 12 * 4 = 48\nStep 3: red wins\n\\boxed{red}"
    assert judge(trace)[0] == "skipped"
    assert judge("", kind="rlvr", messages=[user(QUESTION)], answer="46")[0] == "skipped"


def test_of_a_preference_the_chosen_side_is_read() -> None:
    good = assistant("Step 1: 3 * 6 = 18\nStep 2: 18 + 28 = 46\n\\boxed{46}")
    bad = assistant("Step 1: 3 * 6 = 18\nStep 2: 12 * 4 = 48\nStep 3: 48 - 20 = 28\n\\boxed{28}")
    for chosen, rejected, status in ((good, bad, "pass"), (bad, good, "fail")):
        changes = {"kind": "preference", "chosen": [chosen], "rejected": [rejected]}
        assert judge("", messages=[user(QUESTION)], **changes)[0] == status


@pytest.mark.parametrize("tier", TIERS)
def test_solutions_that_are_sound_by_construction_pass(tier: str) -> None:
    made = itertools.islice(problems(TIERS[tier], 5, held_out=False), 300)
    judged = {problem.trace: judge(problem.trace, problem.text) for problem in made}
    assert [trace for trace, (status, _) in judged.items() if status == "fail"] == []


@pytest.mark.parametrize("line", ["{n} + {n} = {m}", "{n} / 7 = {f}", "1 + {d} = 9", "{n}{n}"])
def test_a_long_trace_is_read_in_seconds(line: str) -> None:
    numbers = ({"n": n, "m": 2 * n, "f": f"{n / 7:.3f}", "d": "9" * 40} for n in range(10, 1500))
    lines = "\n".join(line.format(**values) for values in numbers)
    start = time.perf_counter()
    judge(f"{lines[:19_000]}\n\\boxed{{5}}")
    assert time.perf_counter() - start < 5
