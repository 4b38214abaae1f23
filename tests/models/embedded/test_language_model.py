"""Generation with the shipped model: determinism, log-probabilities, prefixes, limits."""

import dataclasses
import itertools
import math
import random
import re

import pytest

from scripts.embedded_model.arithmetic import TIERS, problems
from synthmill.models.embedded.jobs import Job
from synthmill.models.embedded.language_model import LanguageModel

QUESTION = "What is (17 + 6 * 8) * 3 - 5 * (12 + 9)?"


def held_out(tier, count):
    return list(itertools.islice(problems(TIERS[tier], 99, held_out=True), count))


def varied_jobs(count):
    """Jobs that differ in everything that may differ inside a batch."""
    rng = random.Random(1)
    return [
        Job(
            p.text,
            prefix=rng.choice(["", "Step 1: ", p.trace.split("\n")[0] + "\n"]),
            temperature=rng.choice([0.0, 0.6, 1.0, 1.4]),
            top_p=rng.choice([1.0, 0.9]),
            max_tokens=rng.choice([3, 40, 160]),
            seed=rng.randrange(5),
            top_logprobs=3,
        )
        for p in (held_out("middle", count // 2) + held_out("hard", count - count // 2))
    ]


def test_a_job_is_the_same_alone_in_a_crowd_and_in_any_order(model):
    jobs = varied_jobs(96)
    crowd = model.generate(jobs)
    order = random.Random(2).sample(range(len(jobs)), len(jobs))
    assert model.generate([jobs[i] for i in order]) == [crowd[i] for i in order]
    assert [model.generate([job])[0] for job in jobs[:24]] == crowd[:24]


@pytest.mark.parametrize(("batch_size", "threads"), [(1, 1), (5, 2), (96, 1)])
def test_batch_size_and_threads_change_nothing(model, batch_size, threads):
    jobs = varied_jobs(32)
    other = LanguageModel(batch_size=batch_size, threads=threads)
    assert other.generate(jobs) == model.generate(jobs)


def test_seeds_give_different_texts(model):
    [problem] = held_out("hard", 1)
    texts = {g.text for g in model.generate([Job(problem.text, seed=s) for s in range(8)])}
    assert len(texts) > 4


def test_greedy_takes_the_likeliest_token_whatever_the_seed(model):
    one, two = model.generate(
        [Job(QUESTION, temperature=0, seed=s, top_logprobs=1) for s in (1, 2)]
    )
    assert one == two
    assert all(token.top[0] == (token.text, token.logprob) for token in one.tokens)


def test_a_tiny_top_p_is_greedy(model):
    greedy, narrow = model.generate([Job(QUESTION, temperature=0), Job(QUESTION, top_p=1e-9)])
    assert narrow.text == greedy.text


def test_logprobs_are_those_of_the_untempered_model(model):
    hot = model.generate([Job(QUESTION, temperature=1.5, top_p=0.9, seed=3, top_logprobs=5)])[0]
    scored = model.score(QUESTION, hot.text, top_logprobs=5)
    for generated, forced in zip(hot.tokens, scored, strict=False):
        assert generated.text == forced.text
        assert generated.logprob == pytest.approx(forced.logprob, abs=1e-9)
        assert [t for t, _ in generated.top] == [t for t, _ in forced.top]


def test_probabilities_sum_to_one_and_are_ranked(model):
    [generation] = model.generate([Job(QUESTION, top_logprobs=100_000, max_tokens=12)])
    for token in generation.tokens:
        values = [logprob for _, logprob in token.top]
        assert math.fsum(map(math.exp, values)) == pytest.approx(1, abs=1e-12)
        assert values == sorted(values, reverse=True)
        assert (token.text, token.logprob) in token.top


def test_sampling_follows_the_probabilities(model):
    prefix = "Step 1: "
    draws = model.generate(
        [Job(QUESTION, prefix, max_tokens=1, seed=s, top_logprobs=3) for s in range(2000)]
    )
    likeliest, logprob = draws[0].tokens[0].top[0]
    share = math.exp(logprob)
    hits = sum(d.text == likeliest for d in draws)
    assert abs(hits - 2000 * share) <= 4 * math.sqrt(2000 * share * (1 - share)) + 1


def test_a_prefix_is_continued_as_if_generated(model):
    [whole] = model.generate([Job(QUESTION, temperature=0)])
    lines = whole.text.split("\n")
    for kept in range(1, len(lines)):
        prefix = "\n".join(lines[:kept]) + "\n"
        [rest] = model.generate([Job(QUESTION, prefix, temperature=0)])
        assert prefix + rest.text == whole.text
        assert rest.prompt_tokens == whole.prompt_tokens + model.count_tokens(prefix)


def test_token_texts_make_the_text(model):
    for generation in model.generate(varied_jobs(24)):
        assert "".join(t.text for t in generation.tokens) == generation.text


def test_stop_strings_end_the_text_before_them(model):
    [plain] = model.generate([Job(QUESTION, temperature=0)])
    for stop in ("\n", "Step 3", "3: ", "boxed{"):
        [cut] = model.generate([Job(QUESTION, temperature=0, stop=("never", stop))])
        assert cut.text == plain.text[: plain.text.index(stop)]
        assert cut.finish_reason == "stop"
        assert len(cut.tokens) < len(plain.tokens)


def test_limits_are_told_from_ends(model):
    [ended, cut] = model.generate(
        [Job(QUESTION, temperature=0), Job(QUESTION, temperature=0, max_tokens=7)]
    )
    assert (ended.finish_reason, ended.tokens[-1].text) == ("stop", "")
    assert (cut.finish_reason, len(cut.tokens)) == ("length", 7)


def test_instructions_before_the_problem_are_left_out(model):
    short, long, paragraph = model.generate(
        [
            Job(QUESTION),
            Job(f"Think in steps. Problem: none.\n\nRules: box it.\nProblem: {QUESTION}"),
            Job(f"Be brief.\n\nProblem:\n{QUESTION}\n\nAnswer now."),
        ]
    )
    assert short == long == paragraph


def test_any_text_is_a_prompt_and_a_prefix(model):
    texts = ["", " ", "naïve 数学 🙂\0", "{{ x }} {% if %}", "a" * 500]
    for text in texts:
        [generation] = model.generate([Job(text, prefix=text, max_tokens=4)])
        assert 1 <= len(generation.tokens) <= 4


def test_a_full_context_is_refused_and_a_nearly_full_one_ends(model):
    with pytest.raises(ValueError, match="context holds 2048"):
        model.generate([Job("7" * 2100)])
    [generation] = model.generate([Job("7" * 2040, temperature=0, max_tokens=100)])
    assert generation.prompt_tokens + len(generation.tokens) <= 2048


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"max_tokens": 0},
        {"top_logprobs": -1},
        {"stop": ("",)},
    ],
)
def test_bad_settings_are_named(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        dataclasses.replace(Job("x"), **change)


def test_no_jobs_no_generations(model):
    assert model.generate([]) == []


def test_count_tokens_counts_digits_one_by_one(model):
    assert model.count_tokens("123456") == 6
    assert model.count_tokens("") == 0


def test_most_easy_problems_are_solved(model):
    drawn = held_out("easy", 100)
    answers = model.generate([Job(f"Problem: {p.text}", temperature=0) for p in drawn])
    boxed = [re.findall(r"\\boxed\{(\d+)\}", g.text)[-1:] for g in answers]
    assert sum(b == [p.answer] for b, p in zip(boxed, drawn, strict=True)) >= 80
