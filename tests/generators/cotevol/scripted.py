"""A context for tests: calls are answered by a function, everything else is real and seeded."""

import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from synthmill.generators.cotevol.generator import Cotevol
from synthmill.generators.cotevol.search import SearchSession
from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.models.completion import Alternative, Completion, Token
from synthmill.models.offline import Continuation, offline_answer
from synthmill.models.prompt import Prompt, Reply
from synthmill.models.request import Sampling
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.lineage import SourceRef
from synthmill.sources.base import Problem

Writer = Callable[[Prompt[Any], str, Sampling, Random], Completion]


class ScriptedContext:
    """Answers prompts by `writer`; what was asked is kept in `asked` as (prompt, prefix)."""

    def __init__(self, writer: Writer, seed: int = 0) -> None:
        self.seed, self.scratch = seed, Path()
        self.writer = writer
        self.asked: list[tuple[Prompt[Any], str]] = []

    def rng(self, purpose: str) -> Random:
        return Random(keyed_seed(self.seed, purpose))

    async def generate(self, prompt: Prompt[Any], *, purpose: str, **more: Any) -> Any:
        (reply,) = await self.sample(prompt, 1, purpose=purpose, **more)
        return reply

    async def sample(
        self,
        prompt: Prompt[Any],
        n: int,
        *,
        purpose: str,
        role: str = "default",
        prefix: str = "",
        sampling: Sampling | None = None,
        tools: str | None = None,
    ) -> list[Any]:
        self.asked.append((prompt, prefix))
        return [self._reply(prompt, prefix, sampling, f"{purpose}/{i}") for i in range(n)]

    def _reply(
        self, prompt: Prompt[Any], prefix: str, sampling: Sampling | None, purpose: str
    ) -> Reply[Any]:
        completion = self.writer(prompt, prefix, sampling or Sampling(), self.rng(purpose))
        return Reply.parsed(prompt, completion, "scripted", prefix)

    async def write_media(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def run_in_worker(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)


def sums(prompt: Prompt[Any], prefix: str, sampling: Sampling, rng: Random) -> Completion:
    """A small model of sums such as "1 + 2 + 3": one step a sum, right with a chance of 0.6.

    It goes on from any prefix, greedily at temperature 0, and tells its true log-probabilities.
    """
    answer = offline_answer(prompt, rng)
    if isinstance(answer, str):
        return Completion(text=answer, completion_tokens=len(answer.split()), from_rule=True)
    tokens: list[Token] = []
    given = prefix + answer.prefix
    numbers = [int(word) for word in answer.problem.split("+")]
    while (piece := _next(given + "".join(t.token for t in tokens), numbers)) is not None:
        tokens.append(_drawn(piece, sampling.temperature, rng))
    written = answer.prefix + "".join(token.token for token in tokens)
    if len(tokens) > sampling.max_tokens:
        text = "".join(token.token for token in tokens[: sampling.max_tokens])
        return Completion(text=text, finish_reason="length", completion_tokens=sampling.max_tokens)
    return Completion(text=written, tokens=tuple(tokens), completion_tokens=len(tokens))


def _next(text: str, numbers: list[int]) -> dict[str, float] | None:
    """The next token's distribution, or None at the end."""
    lines = text.split("\n")
    if "boxed" in text:
        return None
    results = [int(line.rpartition("=")[2]) for line in lines if line.rpartition("=")[2].strip()]
    results = results if "=" in text else []
    done = len(results)
    if lines[-1].endswith("= "):
        left, right = lines[-1].partition(": ")[2].rstrip("= ").split(" + ")
        value = int(left) + int(right)
        return {str(value): 0.6, str(value + 1): 0.3, str(value - 1): 0.1}
    total = results[-1] if results else numbers[0]
    if done < len(numbers) - 1:
        line_end = "\n" if done else ""
        return {f"{line_end}Step {done + 1}: {total} + {numbers[done + 1]} = ": 1.0}
    return {f"\nThe answer is \\boxed{{{total}}}.": 1.0}


def _drawn(odds: dict[str, float], temperature: float, rng: Random) -> Token:
    names = list(odds)
    if temperature == 0:
        name = names[0]
    else:
        name = rng.choices(names, [odds[n] ** (1 / temperature) for n in names])[0]
    top = tuple(Alternative(token=n, logprob=math.log(odds[n])) for n in names)
    return Token(token=name, logprob=math.log(odds[name]), top=top)


def problem(text: str = "11 + 22 + 33 + 44", answer: str | None = "110") -> Problem:
    return Problem(key="p", text=text, answer=answer, origin=SourceRef(uri="test"))


async def searched(
    given: Problem, writer: Writer = sums, seed: int = 0, **settings: Any
) -> tuple[SearchSession, str, ScriptedContext]:
    """The traces that a strategy makes of a problem."""
    context = ScriptedContext(writer, seed)
    session, stopped = await Cotevol(CotevolSettings(**settings)).search(given, context)
    return session, stopped, context


__all__ = ["Continuation", "ScriptedContext", "problem", "searched", "sums"]
