"""The forms of model calls: what a part of a recipe asks of a role, and what `check` tries."""

from typing import Literal

from synthmill.models.request import Request, Sampling
from synthmill.schemas.messages import user

Form = Literal["text", "json", "samples", "continuation", "logprobs", "tools", "embedding"]

# Tried where a part does not say what it asks.
USUAL_FORMS: tuple[Form, ...] = ("text", "json", "samples")
WORDS: dict[Form, str] = {
    "text": "a text",
    "json": "an object of a JSON schema",
    "samples": "two samples",
    "continuation": "a continuation",
    "logprobs": "log-probabilities",
    "tools": "a call with tools",
    "embedding": "a vector",
}
_QUESTION = user("Answer with a JSON object: which color has the sky?")
_SCHEMA = (
    '{"type": "object", "properties": {"color": {"type": "string", "maxLength": 20}}, '
    '"required": ["color"]}'
)
_TOOLS = (
    '[{"type": "function", "function": {"name": "look_up", "description": "Looks up a color.", '
    '"parameters": {"type": "object", "properties": {"thing": {"type": "string"}}, '
    '"required": ["thing"]}}}]'
)
_MAX_TOKENS = 32  # ours: a check costs next to nothing


def small_request(form: Form, model: str) -> Request:
    """A request of a form that costs next to nothing; of `embedding` there is none."""
    sampling = Sampling(max_tokens=_MAX_TOKENS)
    request = Request(model=model, messages=(_QUESTION,), sampling=sampling)
    match form:
        case "json":
            return request._replace(json_schema=_SCHEMA)
        case "samples":
            return request._replace(n=2)
        case "continuation":
            return request._replace(prefix='{"color":')
        case "logprobs":
            wanted = sampling.model_copy(update={"top_logprobs": 5})
            return request._replace(sampling=wanted)
        case "tools":
            return request._replace(tools=_TOOLS)
    return request
