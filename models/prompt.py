"""Typed prompts: fields in, a declared answer type out, the template beside the class."""

import inspect
import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Generic, NamedTuple, Self, TypeVar, cast

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ValidationError

from synthmill.models.completion import Completion
from synthmill.schemas.base import Record
from synthmill.schemas.messages import Message, user

T = TypeVar("T")

# Values of a prompt's fields are data: the sandbox keeps a template from reaching beyond them.
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=False
)

_FENCE = re.compile(r"```(?:json)?[^\S\n]*\n(.*)\n```", re.DOTALL)


class MalformedAnswer(Exception):
    """The model's text is not of the type that its prompt declares; the message says why."""


class Prompt(Record, Generic[T]):
    """A question to a model, answered by a value of type `T`.

    ``class Solve(Prompt[str])`` asks for free text; with a pydantic model as `T`, its JSON schema
    is sent for guided decoding. A subclass declares its fields and has its template in a file
    beside its module or in a folder `prompts` there, named `<snake_case_of_class>.jinja`. It may
    override `parse` where the text needs more than validation, and `json_schema` where no schema
    shall be sent.
    """

    @classmethod
    def prompt_name(cls) -> str:
        """The name under which usage is counted: the class name in snake case."""
        return _snake_case(cls.__name__)

    @classmethod
    def answer_type(cls) -> type[T]:
        """The class parameter `T`.

        Raises:
            TypeError: the class does not derive from ``Prompt[T]`` with a concrete `T`.
        """
        return _answer_type(cls)

    @classmethod
    def json_schema(cls) -> str | None:
        """JSON schema of the answer, or None where the answer is free text."""
        return _json_schema(cls)

    def messages(self) -> tuple[Message, ...]:
        """The conversation to send: the rendered template as one user turn."""
        return (user(_template(type(self)).render(vars(self))),)

    def parse(self, completion: Completion) -> T:
        """The typed answer in a completion.

        Raises:
            MalformedAnswer: the text is not of the declared type.
        """
        answer = _model(type(self))
        if answer is None:
            return cast(T, completion.text)
        try:
            # Models without guided decoding often put JSON into a fenced code block.
            fenced = _FENCE.fullmatch(completion.text.strip())
            return cast(T, answer.model_validate_json(fenced[1] if fenced else completion.text))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the answer"
            raise MalformedAnswer(f"{where}: {first['msg']}") from error


class Reply(NamedTuple, Generic[T]):
    """An answer: its typed value, or why the text is not of the declared type."""

    value: T | None
    malformed: str | None
    completion: Completion
    model: str

    @classmethod
    def parsed(
        cls, prompt: Prompt[T], completion: Completion, model: str, prefix: str = ""
    ) -> Self:
        """The reply that a completion is to a prompt.

        A completion without text and without a tool call is malformed, unless it continues a
        given `prefix`, after which there may be nothing left to say.
        """
        value, malformed = None, None
        if not (prefix or completion.tool_calls or completion.text.strip()):
            malformed = "the answer is empty"
        else:
            try:
                value = prompt.parse(completion)
            except MalformedAnswer as error:
                malformed = str(error)
        return cls(value, malformed, completion, model)

    @property
    def reasoning(self) -> str | None:
        """What the model thought before it answered, where the server tells it."""
        return self.completion.reasoning

    def unwrap(self) -> T:
        """The value.

        Raises:
            MalformedAnswer: there is none.
        """
        if self.malformed is not None:
            raise MalformedAnswer(self.malformed)
        return cast(T, self.value)


@cache
def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@cache
def _answer_type(cls: type[Prompt[Any]]) -> type[Any]:
    for base in cls.__mro__:
        metadata = getattr(base, "__pydantic_generic_metadata__", {})
        if metadata.get("origin") is Prompt:
            return cast(type[Any], metadata["args"][0])
    raise TypeError(f"{cls.__name__} names no answer type: derive it from Prompt[T]")


@cache
def _model(cls: type[Prompt[Any]]) -> type[BaseModel] | None:
    answer = cls.answer_type()
    return answer if issubclass(answer, BaseModel) else None


@cache
def _json_schema(cls: type[Prompt[Any]]) -> str | None:
    answer = _model(cls)
    return json.dumps(answer.model_json_schema()) if answer else None


@cache
def _template(cls: type[Prompt[Any]]) -> Any:
    folder, name = Path(inspect.getfile(cls)).parent, f"{cls.prompt_name()}.jinja"
    beside = folder / name
    path = beside if beside.exists() else folder / "prompts" / name
    template = _ENVIRONMENT.from_string(path.read_text(encoding="utf-8"))
    # Every rendering copies them, which takes most of its time from the chain of maps they are in.
    template.globals = dict(template.globals)
    return template
