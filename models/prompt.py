"""Typed prompts: fields in, a declared answer type out, the template beside the class."""

import inspect
import json
import re
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Generic, TypeVar, cast

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ValidationError

from synthmill.models.completion import Completion
from synthmill.schemas.base import Record
from synthmill.schemas.messages import Message, user

A = TypeVar("A")

# Values of a prompt's fields are data: the sandbox keeps a template from reaching beyond them.
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False
)

_FENCE = re.compile(r"```(?:json)?[^\S\n]*\n(.*)\n```", re.DOTALL)


class MalformedAnswer(Exception):
    """The model's text is not of the type that its prompt declares; the message says why."""


class Continuation(Record):
    """A question for the shipped language model: it goes on writing after `prefix`."""

    problem: str
    prefix: str = ""


class Reply(Record):
    """An answer: its typed value, or why the text is not of the declared type."""

    value: Any = None
    malformed: str | None = None
    completion: Completion
    model: str

    def unwrap(self) -> Any:
        """The value.

        Raises:
            MalformedAnswer: there is none.
        """
        if self.malformed is not None:
            raise MalformedAnswer(self.malformed)
        return self.value


class Prompt(Record, Generic[A]):
    """A question to a model.

    A subclass declares its fields, `answer` (``str``, or a pydantic model that is sent as a JSON
    schema for guided decoding), and has its template in a file beside its module, named
    `<snake_case_of_class>.jinja`. It may override `parse` where text is not the answer yet, and
    `embedded` to say how the embedded back end answers it.
    """

    answer: ClassVar[type] = str

    @classmethod
    def prompt_name(cls) -> str:
        """The name under which usage is counted: the class name in snake case."""
        return _snake_case(cls.__name__)

    @classmethod
    def json_schema(cls) -> str | None:
        """JSON schema of the answer, or None where the answer is free text."""
        if not issubclass(cls.answer, BaseModel):
            return None
        return _schema(cls.answer)

    def messages(self) -> tuple[Message, ...]:
        """The conversation to send: the rendered template as one user turn."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return (user(_template(type(self)).render(**fields)),)

    def parse(self, completion: Completion) -> A:
        """The typed answer in a completion.

        Raises:
            MalformedAnswer: the text is not of the declared type.
        """
        if not issubclass(self.answer, BaseModel):
            return cast(A, completion.text)
        try:
            # Models that are only told to write JSON like to fence it as code.
            fenced = _FENCE.fullmatch(completion.text.strip())
            text = fenced[1] if fenced else completion.text
            return cast(A, self.answer.model_validate_json(text))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise MalformedAnswer(f"{where}: {first['msg']}") from error

    def embedded(self, rng: Random) -> "str | Continuation":
        """How the embedded back end answers: a text made by rule, or work for the language model.

        Rules read the typed fields, are seeded by `rng`, and are imperfect as a small model is.

        Raises:
            NotImplementedError: this prompt has no rule, so it needs a real model.
        """
        raise NotImplementedError(
            f"prompt {self.prompt_name()!r} has no rule for the embedded back end; "
            "give this role a real model (backend: openai or vllm)"
        )


@cache
def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@cache
def _schema(answer: type[BaseModel]) -> str:
    return json.dumps(answer.model_json_schema())


@cache
def _template(cls: type[Prompt[Any]]) -> Any:
    path = Path(inspect.getfile(cls)).parent / f"{cls.prompt_name()}.jinja"
    template = _ENVIRONMENT.from_string(path.read_text(encoding="utf-8"))
    # Every rendering copies them, which takes most of its time from the chain of maps they are in.
    template.globals = dict(template.globals)
    return template
