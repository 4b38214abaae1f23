"""Settings of the back ends that speak to OpenAI-compatible servers."""

from typing import Any, Literal

from pydantic import Field, field_validator
from yarl import URL

from synthmill.models.backend import AFFECTS_OUTPUT, BackendSettings
from synthmill.models.openai_api.body import PrefixStyle, SchemaStyle
from synthmill.schemas.errors import InputError

SECRETS = ("authorization", "cookie", "key", "token", "secret", "password")
BASE_TEMPLATE = "{% for message in messages %}{{ message.content }}\n\n{% endfor %}"


def refuse_secrets(values: dict[str, str], cure: str) -> dict[str, str]:
    """`values`, none of whose names speaks of a secret: recipes are stored with what they make.

    Raises:
        ValueError: one does; `cure` says what to do instead.
    """
    for name in values:
        if any(word in name.lower() for word in SECRETS):
            raise ValueError(f"{name} looks secret: {cure}")
    return values


class WireSettings(BackendSettings):
    """How an OpenAI-compatible server is spoken to, wherever it runs."""

    connect_seconds: float = Field(default=10.0, gt=0)
    stall_seconds: float = Field(
        default=60.0, gt=0, description="longest silence in the middle of an answer"
    )
    total_seconds: float = Field(default=600.0, gt=0, description="longest wait for one answer")
    retries: int = Field(
        default=12, ge=0, description="tries after the first, of a call that a live server fails"
    )
    first_backoff_seconds: float = Field(default=0.25, gt=0)
    longest_backoff_seconds: float = Field(default=30.0, gt=0)
    max_concurrency: int = Field(
        default=256, ge=1, description="most calls at once at one endpoint; it adapts below that"
    )
    max_samples: int = Field(default=128, ge=1, description="most samples asked for in one call")
    api: Literal["chat", "completions"] = Field(
        default="chat", json_schema_extra=AFFECTS_OUTPUT, description="completions for base models"
    )
    prefix: PrefixStyle = Field(
        default="continue_final_message",
        json_schema_extra=AFFECTS_OUTPUT,
        description="how an answer is continued: that flag (vLLM, SGLang), a plain assistant turn "
        "at the end (llama.cpp, Ollama, some clouds), or /completions with `template`",
    )
    template: str = Field(
        default=BASE_TEMPLATE,
        json_schema_extra=AFFECTS_OUTPUT,
        description="Jinja text of `messages` for /completions, up to where the answer begins",
    )
    json_style: SchemaStyle = Field(
        default="json_schema",
        json_schema_extra=AFFECTS_OUTPUT,
        description="response_format json_schema, json_object, or only told in the prompt",
    )
    tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="what the server calls the bound on generated tokens"
    )
    extra_body: dict[str, Any] = Field(
        default={}, json_schema_extra=AFFECTS_OUTPUT, description="more fields of every request"
    )
    omit: tuple[str, ...] = Field(
        default=(),
        json_schema_extra=AFFECTS_OUTPUT,
        description="fields that this server does not take, such as seed",
    )
    max_request_mb: float = Field(default=64.0, gt=0)
    max_response_mb: float = Field(default=64.0, gt=0)


class OpenAISettings(WireSettings):
    """How an endpoint is reached, and what it understands."""

    base_url: tuple[str, ...] = Field(
        min_length=1,
        description="address up to and with /v1, or a list of them: calls are balanced",
    )
    api_key_env: str | None = Field(
        default=None, description="name of the environment variable that holds the key"
    )
    api_key_header: str = Field(
        default="Authorization", description="header of the key; any other one takes it bare"
    )
    headers: dict[str, str] = Field(default={}, description="more headers, none of them secret")

    @field_validator("base_url", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("headers")
    @classmethod
    def _not_secret(cls, value: dict[str, str]) -> dict[str, str]:
        return refuse_secrets(value, "use api_key_env and api_key_header")


def checked_address(text: str) -> str:
    """An address without a slash at its end.

    Raises:
        InputError: it is none, or it holds a secret; the message does not repeat it.
    """
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError("base_url: an address looks like http://host:8000/v1")
    if url.user or url.password or url.query:
        raise InputError("base_url holds no user, password or query: use api_key_env")
    return text.rstrip("/")
