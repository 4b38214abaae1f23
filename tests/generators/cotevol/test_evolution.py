"""The search as a whole, on a small model of sums: lineage, budgets, seeds, hostile models."""

import math
from random import Random
from typing import Any

import pytest

from synthmill.generators.base import Task
from synthmill.generators.cotevol import operators
from synthmill.generators.cotevol.generator import Cotevol
from synthmill.generators.cotevol.operators import AlternativeQueue, choose_step
from synthmill.generators.cotevol.rows import EvolutionRecord, candidates
from synthmill.generators.cotevol.settings import PRESETS, CotevolSettings
from synthmill.generators.cotevol.traces import Lineage, Trace, token_positions
from synthmill.models.completion import Alternative, Completion, Token
from synthmill.models.prompt import Prompt
from synthmill.models.request import Sampling
from synthmill.schemas.identity import content_id
from synthmill.schemas.row import Candidate
from tests.generators.cotevol.scripted import ScriptedContext, Writer, problem, searched, sums

METHODS: list[dict[str, Any]] = [
    {"rounds": 4},
    {"rounds": 4, "mutation": "resample"},
    {"preset": "paper"},
    {"strategy": "best_of_n"},
    {"strategy": "self_refine"},
]


async def rows(
    writer: Writer = sums, seed: int = 0, answer: str | None = "110", **settings: Any
) -> list[Candidate]:
    generator = Cotevol(CotevolSettings(**settings))
    given = problem(answer=answer)
    context = ScriptedContext(writer, seed)
    return [row async for row in generator.generate(Task(key="p", item=given), context)]


@pytest.mark.parametrize("settings", METHODS)
async def test_every_lineage_is_a_dag_of_earlier_traces(settings: dict[str, Any]) -> None:
    for seed in range(8):
        session, _, _ = await searched(problem(), seed=seed, **settings)
        order = [trace.id for trace in session.archive]
        assert len(set(order)) == len(order) >= 4
        for index, trace in enumerate(session.archive):
            assert set(trace.lineage.parents) <= set(order[:index])
            assert bool(trace.lineage.parents) == (
                trace.lineage.operator not in ("initial", "lower temperature")
            )


@pytest.mark.parametrize("settings", METHODS)
async def test_the_same_seed_gives_the_same_rows(settings: dict[str, Any]) -> None:
    first, again = await rows(seed=3, **settings), await rows(seed=3, **settings)
    assert first == again
    assert [row.detail for row in first] != [row.detail for row in await rows(seed=4, **settings)]


@pytest.mark.parametrize("settings", METHODS)
@pytest.mark.parametrize("budget", [1, 9, 40, 200])
async def test_the_token_budget_is_kept(settings: dict[str, Any], budget: int) -> None:
    session, stopped, _ = await searched(
        problem(), max_tokens_per_problem=budget, **{**settings, "rounds": 500}
    )
    paid = sum(trace.cost for trace in session.archive)
    # Samples of one request are generated together: the last request may run over by its others.
    assert session.spent <= budget + 4 * budget
    assert paid <= session.spent
    assert all(trace.spent <= budget for trace in session.archive)
    assert (stopped == "tokens spent") == (session.tokens_left == 0)


async def test_critics_are_paid_for() -> None:
    session, _, _ = await searched(problem(), preset="paper", rounds=4, fallback_temperatures=[])
    crossed = [
        t
        for t in session.archive
        if t.lineage.operator.split()[0] in ("elite", "success-error", "failure")
    ]
    assert crossed
    assert all(trace.cost > len(trace.positions) for trace in crossed)
    assert sum(trace.cost for trace in session.archive) == session.spent


async def test_a_mutation_keeps_the_prefix_of_its_parent() -> None:
    session, _, _ = await searched(problem(), rounds=6, stop_when_converged=False)
    known = {trace.id: trace for trace in session.archive}
    mutants = [t for t in session.archive if t.lineage.operator == "alternative"]
    assert mutants
    for mutant in mutants:
        parent = known[mutant.lineage.parents[0]]
        start = parent.steps[mutant.lineage.step or 0].start
        assert mutant.text[:start] == parent.text[:start]
        assert mutant.text != parent.text
        assert mutant.cost < len(mutant.positions)  # what was kept costs nothing


async def test_no_alternative_is_taken_twice() -> None:
    session, _, _ = await searched(
        problem(), rounds=20, stop_when_converged=False, crossovers_per_round=0
    )
    texts = [t.text for t in session.archive if t.lineage.operator == "alternative"]
    assert len(texts) == len(set(texts)) > 20


async def test_without_log_probabilities_steps_are_written_anew() -> None:
    def silent(prompt: Prompt[Any], prefix: str, sampling: Sampling, rng: Random) -> Completion:
        return sums(prompt, prefix, sampling, rng).model_copy(update={"tokens": ()})

    session, _, _ = await searched(problem(), silent, rounds=3, stop_when_converged=False)
    operators = {trace.lineage.operator for trace in session.archive}
    assert "local mutation" in operators and "alternative" not in operators


async def test_alternatives_come_most_promising_first() -> None:
    session, _, _ = await searched(problem(), rounds=0)
    queue = AlternativeQueue(likelihood_exponent=0.5)
    for trace in session.archive:
        queue.add_trace(trace)
    promises = []
    while (branch := queue.pop()) is not None:
        promises.append(branch.score)
    assert promises == sorted(promises, reverse=True) and promises


def two_sums() -> Trace:
    """Two results at .6 and .5; the other ways on are 4 at .3 and 7 at .5. Six tokens."""
    told = [("Step 1: 1 + 2 = ", {}), ("3", {"4": 0.3}), ("\nStep 2: 3 + 3 = ", {})]
    told += [("6", {"7": 0.5}), ("\nThe answer is ", {}), ("\\boxed{6}", {})]
    tokens = []
    for text, others in told:
        odds = {text: {"3": 0.6, "6": 0.5}.get(text, 1.0), **others}
        top = tuple(Alternative(token=t, logprob=math.log(p)) for t, p in odds.items())
        tokens.append(Token(token=text, logprob=math.log(odds[text]), top=top))
    completion = Completion(text="".join(t.token for t in tokens), tokens=tuple(tokens))
    places = token_positions(completion, 0, 2.0, renormalize=False)
    return Trace("t", completion.text, Lineage(operator="initial"), places)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_the_score_weighs_likelihood_against_cost(exponent: float) -> None:
    """4 first and then 6 has .3 * .5 and takes 5 of the 6 tokens; 3 and then 7: .6 * .5 and 3."""
    queue = AlternativeQueue(exponent)
    queue.add_trace(two_sums())
    worth = {branch.token: math.exp(branch.score) for branch in queue.branches.values()}
    assert worth == pytest.approx({"4": 0.15**exponent / 5, "7": 0.3**exponent / 3})


def test_the_queue_keeps_the_best_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "MAX_BRANCHES", 1)
    queue = AlternativeQueue(likelihood_exponent=0.5)
    queue.add_trace(two_sums())
    assert [branch.token for branch in queue.branches.values()] == ["7"]


def test_choice_of_a_step() -> None:
    assert choose_step([0.1, 0.9, 0.9], "highest", Random(0)) == 1
    drawn = [choose_step([0.0, 1.0, 3.0], "proportional", Random(i)) for i in range(2000)]
    assert drawn.count(0) == 0 and drawn.count(2) / 2000 == pytest.approx(0.75, abs=0.04)
    assert {choose_step([0.0, 0.0], "highest", Random(i)) for i in range(30)} == {0, 1}
    with pytest.raises(ValueError, match="without steps"):
        choose_step([], "highest", Random(0))


async def test_search_finds_what_samples_miss() -> None:
    """Twenty sums at odds of .6 each: about one sample in 27,000 is right."""
    long = problem(" + ".join(["7"] * 21), "147")
    sampled, _, _ = await searched(long, strategy="best_of_n", samples=64)
    assert not any(trace.good for trace in sampled.archive)
    session, _, _ = await searched(long, rounds=40, max_tokens_per_problem=64 * 41)
    assert any(trace.good for trace in session.archive)


async def test_convergence_and_the_ladder() -> None:
    _, stopped, _ = await searched(problem("1 + 1", "2"), rounds=50)
    assert stopped == "converged"
    hopeless, stopped, _ = await searched(
        problem(answer="999"), rounds=1, fallback_temperatures=[0.3, 0.0]
    )
    assert stopped == "all rounds done"
    ladder = [t for t in hopeless.archive if t.lineage.operator == "lower temperature"]
    assert [trace.lineage.temperature for trace in ladder] == [0.3, 0.0]


HOSTILE = {
    "nothing": "",
    "no steps": "I do not know.",
    "a box that never closes": "Step 1: 1\n\\boxed{" * 50,
    "huge": "Step 1: x = 1\n" * 20_000 + "\\boxed{110}",
    "one huge line": "x" * 1_000_000,
    "other scripts": "\u0634\u0631 Step \u0661: \ufffd\u2028\u0000\U0001f600 \\boxed{\u0661}",
    "nested": "\\boxed{" * 3000 + "110" + "}" * 3000,
    "template": "{{ problem }} {% for x in y %} \\boxed{110}",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("settings", METHODS)
async def test_hostile_models(name: str, settings: dict[str, Any]) -> None:
    def writer(prompt: Prompt[Any], prefix: str, sampling: Sampling, rng: Random) -> Completion:
        return Completion(text=HOSTILE[name], completion_tokens=7)

    made = await rows(writer, **settings)
    assert {row.kind for row in made} <= {"sft", "rlvr"}
    best = made[0]
    assert best.kind == "sft"
    if "110" not in HOSTILE[name]:
        assert best.verdicts[0].status == "fail"


async def test_a_critic_may_say_anything() -> None:
    def writer(prompt: Prompt[Any], prefix: str, sampling: Sampling, rng: Random) -> Completion:
        if prompt.prompt_name() == "critique":
            wild = '{"intermediate_result": "", "guidance_summary": "x", "keep": "second", '
            text = rng.choice(["no json", wild + '"keep_steps": 150}', wild + '"keep_steps": -3}'])
            return Completion(text=text, completion_tokens=3)
        return sums(prompt, prefix, sampling, rng)

    for settings in ({"rounds": 5}, {"preset": "paper", "rounds": 5}):
        made = await rows(writer, stop_when_converged=False, **settings)
        assert made[0].kind == "sft"


async def test_the_rows_of_an_evolution() -> None:
    made = await rows(rounds=4)
    kinds = [row.kind for row in made]
    assert kinds == ["sft", "rlvr", "preference", "preference"]
    best, question, *pairs = made
    assert "\\boxed{110}" in (best.messages[-1].content or "") and not best.verdicts
    assert question.answer == "110" and question.reward == "answer_equivalence@1"
    record = EvolutionRecord.model_validate_json(question.detail)
    initial = [trace for trace in record.traces if trace.lineage.operator == "initial"]
    assert question.pass_rate == sum(bool(t.right) for t in initial) / len(initial)
    assert question.difficulty == 1 - question.pass_rate
    assert pairs[0].parents in ([], [content_id(best)])
    for pair in pairs:
        chosen, rejected = pair.chosen[0].content or "", pair.rejected[0].content or ""
        apart = EvolutionRecord.model_validate_json(pair.detail).divergence
        assert apart is not None and chosen[: apart.characters] == rejected[: apart.characters]
        assert chosen[apart.characters] != rejected[apart.characters]
        assert "\\boxed{110}" in chosen and "\\boxed{110}" not in rejected


async def test_what_was_not_solved_is_a_rejected_row() -> None:
    best, question = await rows(answer="999", rounds=1)
    assert best.verdicts[0].reason == "no right answer found"
    assert question.pass_rate == 0.0
    assert [verdict.reason for verdict in question.verdicts] == ["never solved"]


async def test_a_problem_that_evolution_solved_is_kept() -> None:
    (question,) = [row for row in await rows(rounds=4) if row.kind == "rlvr"]
    assert not question.verdicts


async def test_unreadable_answers_measure_nothing() -> None:
    def writer(prompt: Prompt[Any], prefix: str, sampling: Sampling, rng: Random) -> Completion:
        return Completion(text="I would say it is rather large.", completion_tokens=7)

    (question,) = [row for row in await rows(writer, rounds=1) if row.kind == "rlvr"]
    assert question.pass_rate is None and question.difficulty is None
    assert [verdict.reason for verdict in question.verdicts] == ["no readable answer"]


async def test_a_wrong_answer_outranks_a_false_equation() -> None:
    def writer(prompt: Prompt[Any], prefix: str, sampling: Sampling, rng: Random) -> Completion:
        text = "Step 1: 1 + 2 = 4\nThe answer is \\boxed{4}."
        return Completion(text=text, completion_tokens=7)

    best, *_ = await rows(writer, rounds=1)
    assert best.verdicts[0].reason == "no right answer found"


async def test_problems_without_answers() -> None:
    made = await rows(answer=None, rounds=2)
    assert "rlvr" not in {row.kind for row in made}
    assert EvolutionRecord.model_validate_json(made[0].detail).mode == "self-evaluation"


async def test_the_mode_is_on_the_row() -> None:
    told = await rows(preset="paper", ground_truth_in_prompts=True)
    assert EvolutionRecord.model_validate_json(told[0].detail).mode == "ground truth in prompts"
    untold = await rows(preset="paper")
    assert EvolutionRecord.model_validate_json(untold[0].detail).mode == "ground truth judges"


async def test_description_of_a_row() -> None:
    from datetime import UTC, datetime

    from synthmill.schemas.row import Row

    (best, *_) = await rows(rounds=4)
    row = Row(
        **best.model_dump(),
        id="x",
        generator="cotevol@1",
        task_key="p",
        split="train",
        status="accepted",
        run_id="r",
        recipe_hash="h",
        created_at=datetime.now(UTC),
    )
    told = Cotevol(CotevolSettings()).describe(row) or ""
    assert "ground truth judges" in told and "right" in told


def test_presets_fill_what_is_not_given() -> None:
    paper = CotevolSettings(preset="paper", rounds=7)
    assert paper.rounds == 7 and paper.mutation == "resample" and paper.fitness == "paper"
    assert CotevolSettings() == CotevolSettings(preset="ours")
    assert set(PRESETS["paper"]) <= set(CotevolSettings.model_fields)


def test_a_trace_is_good_only_without_fault() -> None:
    from synthmill.generators.cotevol.traces import Lineage

    assert not Trace("t", "", Lineage(operator="initial"), right=True, fault="x").good


async def test_the_reasoning_of_a_model_reaches_its_rows() -> None:
    def thinks(prompt: Prompt[Any], prefix: str, sampling: Sampling, rng: Random) -> Completion:
        return sums(prompt, prefix, sampling, rng).model_copy(update={"reasoning": "I add."})

    session, stopped, _ = await searched(problem(), thinks, rounds=2)
    rows = list(candidates(session, stopped))
    taught = [m for row in rows for m in (*row.messages, *row.chosen, *row.rejected)]
    written = [message for message in taught if message.role == "assistant"]
    assert {row.kind for row in rows} == {"sft", "rlvr", "preference"}
    assert {message.reasoning for message in written} == {"I add."}
