"""The problem generator: valid problems, valid traces, no problem on both sides."""

import ast
import itertools
import operator
import random
import re

from hypothesis import given
from hypothesis import strategies as st

from scripts.embedded_model.arithmetic import (
    MOST_STEPS,
    TIERS,
    TRAINING_LIMITS,
    is_held_out,
    problems,
    training_problems,
    write_trace,
)
from scripts.embedded_model.expressions import (
    Branch,
    apply,
    canonical,
    grow,
    infix,
    operations,
    value_of,
)
from scripts.embedded_model.stories import tell

STEP = re.compile(r"Step (\d+): (\d+) ([-+*/]) (\d+) = (\d+)")
ANSWER = re.compile(r"The answer is \\boxed\{(\d+)\}\.")
PYTHON = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}

seeds = st.integers(0, 2**32)
limits = st.sampled_from(TRAINING_LIMITS)
sizes = st.integers(1, MOST_STEPS)


def python_value(text):
    """The value of infix text by Python's own parser, none of the generator's code."""

    def value(node):
        if isinstance(node, ast.Constant):
            return node.value
        return PYTHON[type(node.op)](value(node.left), value(node.right))

    return value(ast.parse(text, mode="eval").body)


def check_trace(trace, answer):
    """Every step is true arithmetic, numbered in order, and the last line boxes the answer."""
    *steps, last = trace.split("\n")
    assert 1 <= len(steps) <= MOST_STEPS
    for number, line in enumerate(steps, 1):
        index, left, symbol, right, result = STEP.fullmatch(line).groups()
        assert int(index) == number
        assert python_value(f"{left} {symbol} {right}") == int(result)
    assert ANSWER.fullmatch(last).group(1) == answer
    assert steps[-1].endswith(f" = {answer}")


@given(seeds, sizes, limits)
def test_expression_means_to_python_what_it_means_to_us(seed, size, bounds):
    expression = grow(random.Random(seed), size, bounds)
    assert len(operations(expression)) == size
    assert python_value(infix(expression)) == value_of(expression)
    assert all(0 <= b.value <= bounds.result for b in operations(expression))


@given(seeds, sizes, limits)
def test_story_has_the_asked_size_and_stays_in_range(seed, size, bounds):
    text, expression = tell(random.Random(seed), size, bounds)
    assert len(operations(expression)) == size
    assert all(0 <= b.value <= bounds.result for b in operations(expression))
    leaves = [
        side for b in operations(expression) for side in (b.left, b.right) if isinstance(side, int)
    ]
    assert sorted(map(int, re.findall(r"\d+", text))) == sorted(leaves)


@given(seeds, seeds, sizes, limits)
def test_every_order_of_steps_is_a_valid_solution(seed, order, size, bounds):
    expression = grow(random.Random(seed), size, bounds)
    trace = write_trace(random.Random(order), expression)
    check_trace(trace, str(value_of(expression)))
    available = [b.value for b in operations(expression)]
    assert sorted(available) == sorted(int(r) for *_, r in STEP.findall(trace))


def test_traces_of_one_problem_differ():
    expression = Branch("+", Branch("*", 3, 4), Branch("-", 9, 2))
    traces = {write_trace(random.Random(seed), expression) for seed in range(50)}
    assert len(traces) == 2


@given(seeds)
def test_canonical_form_ignores_the_order_of_summands_and_factors(seed):
    expression = grow(random.Random(seed), 6, TRAINING_LIMITS[1])

    def swapped(e):
        if isinstance(e, int):
            return e
        left, right = swapped(e.left), swapped(e.right)
        return Branch(e.symbol, right, left) if e.symbol in "+*" else Branch(e.symbol, left, right)

    assert canonical(swapped(expression)) == canonical(expression)
    assert is_held_out(swapped(expression)) == is_held_out(expression)


def test_apply_refuses_what_is_no_natural_number():
    for left, symbol, right in [(1, "-", 2), (7, "/", 2), (7, "/", 0)]:
        try:
            apply(symbol, left, right)
        except ValueError:
            continue
        raise AssertionError(f"{left} {symbol} {right}")


def test_tiers_are_seeded_distinct_and_solved_by_their_traces():
    for tier in TIERS.values():
        drawn = list(itertools.islice(problems(tier, 5, held_out=True), 200))
        assert drawn == list(itertools.islice(problems(tier, 5, held_out=True), 200))
        assert len({p.id for p in drawn}) == 200
        for problem in drawn:
            check_trace(problem.trace, problem.answer)
            steps = problem.trace.count("\n")
            assert tier.steps[0] <= steps <= tier.steps[1]
            if problem.text.startswith("What is "):
                assert python_value(problem.text[8:-1]) == int(problem.answer)


def test_no_held_out_problem_is_a_training_problem():
    held_out = {
        p.text
        for tier in TIERS.values()
        for p in itertools.islice(problems(tier, 1, held_out=True), 500)
    }
    training = {p.text for p in itertools.islice(training_problems(1), 20_000)}
    training |= {
        p.text
        for tier in TIERS.values()
        for p in itertools.islice(problems(tier, 1, held_out=False), 500)
    }
    assert not held_out & training


@given(seeds, sizes, limits)
def test_side_of_the_split_is_decided_by_the_calculation_alone(seed, size, bounds):
    rng = random.Random(seed)
    _, expression = tell(rng, size, bounds)
    assert is_held_out(expression) == is_held_out(parsed(infix(expression)))


def parsed(text):
    """The expression tree of infix text, by Python's parser."""

    def tree(node):
        if isinstance(node, ast.Constant):
            return node.value
        symbol = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}[type(node.op)]
        return Branch(symbol, tree(node.left), tree(node.right))

    return tree(ast.parse(text, mode="eval").body)
