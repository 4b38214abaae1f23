"""The asyncio front: concurrent callers get what they would get alone."""

import asyncio

import pytest

from synthmill.models.embedded.batched import BatchedLanguageModel
from synthmill.models.embedded.jobs import Job
from synthmill.models.embedded.language_model import LanguageModel

JOBS = [Job(f"What is {a} * 7 + {a}?", seed=a, top_logprobs=2) for a in range(3, 93)]


@pytest.fixture
def batched():
    with BatchedLanguageModel(LanguageModel(batch_size=16)) as front:
        yield front


async def test_concurrent_requests_equal_single_ones(batched, model):
    async def late(index, job):
        await asyncio.sleep(0.002 * (index % 7))
        return await batched.generate(job)

    together = await asyncio.gather(*(late(i, job) for i, job in enumerate(JOBS)))
    assert together == model.generate(JOBS)


async def test_the_event_loop_stays_free(batched):
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1

    heart = asyncio.create_task(beat())
    await asyncio.gather(*(batched.generate(job) for job in JOBS))
    heart.cancel()
    assert beats > 3


async def test_a_cancelled_request_leaves_the_others_alone(batched, model):
    tasks = [asyncio.create_task(batched.generate(job)) for job in JOBS[:20]]
    await asyncio.sleep(0.01)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert done[1::2] == model.generate(JOBS[1:20:2])


async def test_a_bad_prompt_fails_its_caller_alone(batched, model):
    good = asyncio.create_task(batched.generate(JOBS[0]))
    with pytest.raises(ValueError, match="context"):
        await batched.generate(Job("7" * 3000))
    assert await good == model.generate(JOBS[:1])[0]


async def test_a_failed_pass_fails_its_callers_and_the_next_ones_are_served(
    batched, model, monkeypatch
):
    def broken(*_):
        raise RuntimeError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(batched._batch, "step", broken)
        with pytest.raises(RuntimeError, match="no memory"):
            await batched.generate(JOBS[0])
    assert await batched.generate(JOBS[1]) == model.generate(JOBS[1:2])[0]


async def test_closing_serves_what_was_asked_and_refuses_more(model):
    front = BatchedLanguageModel(LanguageModel(batch_size=4))
    tasks = [asyncio.create_task(front.generate(job)) for job in JOBS[:6]]
    await asyncio.sleep(0)
    await asyncio.to_thread(front.close)
    assert await asyncio.gather(*tasks) == model.generate(JOBS[:6])
    with pytest.raises(RuntimeError, match="closed"):
        await front.generate(JOBS[0])


async def test_waiting_calls_of_earlier_tasks_go_first() -> None:
    """More calls than there is room, the earliest task's last: it does not wait for the others."""
    ended: list[int] = []

    async def ask(front: BatchedLanguageModel, task: int) -> None:
        await front.generate(Job(f"What is {task} + 1?", max_tokens=20, seed=1), task)
        ended.append(task)

    with BatchedLanguageModel(LanguageModel(batch_size=4)) as front:
        await asyncio.gather(*(ask(front, task) for task in reversed(range(40))))
    assert sorted(ended) == list(range(40))
    assert not set(ended[-8:]) & set(range(16))
