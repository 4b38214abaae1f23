"""Offline rules: answers made without a model, registered for the prompt classes they answer.

The rules of a package are in its sub-module `offline`, for example
`synthmill.generators.ragshaper.offline`; it is imported when the first of its prompts is answered,
so prompts know nothing of their rules.
"""

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any, TypeVar

from pydantic import BaseModel

from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record


class Continuation(Record):
    """Work for the embedded language model: continue the solution of `problem` after `prefix`."""

    problem: str
    prefix: str = ""


Rule = Callable[[Any, Random], BaseModel | str | Continuation]
RuleT = TypeVar("RuleT", bound=Rule)

_RULES: dict[type[Prompt[Any]], Rule] = {}


class NoOfflineRule(Exception):
    """No rule answers this prompt: it needs a real model."""


def answers(prompt_class: type[Prompt[Any]]) -> Callable[[RuleT], RuleT]:
    """Register a function as the rule of a prompt class and of its subclasses without their own.

    The rule takes the prompt and a seeded random generator. It returns the typed answer, the text
    of the completion, or a `Continuation`. Rules are imperfect on purpose, as a small model is,
    so that checks have something to find.
    """

    def register(rule: RuleT) -> RuleT:
        _RULES[prompt_class] = rule
        return rule

    return register


def offline_answer(prompt: Prompt[Any], rng: Random) -> str | Continuation:
    """The text that the prompt's rule gives, or what the embedded language model is to continue.

    Raises:
        NoOfflineRule: the prompt has none.
    """
    answer = _rule(type(prompt))(prompt, rng)
    return answer.model_dump_json() if not isinstance(answer, str | Continuation) else answer


@cache
def _rule(prompt_class: type[Prompt[Any]]) -> Rule:
    for base in prompt_class.__mro__:
        if base not in _RULES:
            _import_rules(base.__module__)
        if base in _RULES:
            return _RULES[base]
    raise NoOfflineRule(
        f"prompt {prompt_class.prompt_name()!r} has no offline rule; "
        "give this role a real model (backend: openai, vllm or llama_cpp)"
    )


@cache
def _import_rules(module: str) -> None:
    """Import the `offline` sub-module of the nearest package around `module` that has one."""
    package, _, _ = module.rpartition(".")
    while package:
        name = f"{package}.offline"
        if name != __name__ and importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
            return
        package, _, _ = package.rpartition(".")
