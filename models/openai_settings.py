"""Settings of the `openai` back end."""

from typing import Any, Literal

from pydantic import Field, field_validator
from yarl import URL

from models.backends.base import BackendSettings
from models.openai_request import PrefixStyle, SchemaStyle

SECRET_HEADERS = ("authorization", "cookie", "key", "token", "secret")
BASE_TEMPLATE = "{% for message in messages %}{{ message.content }}\n\n{% endfor %}"
SHAPING = {"api", "prefix", "template", "json_style", "extra_body", "omit"}


class OpenAISettings(BackendSettings):
    """How an endpoint is reached, and what it understands."""

    base_url: tuple[str, ...] = Field(
        description="address up to and with /v1, or a list of them: calls are balanced"
    )
    api_key_env: str | None = Field(
        default=None, description="name of the environment variable that holds the key"
    )
    api_key_header: str = Field(
        default="Authorization", description="header of the key; any other one takes it bare"
    )
    headers: dict[str, str] = Field(default={}, description="more headers, none of them secret")
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
        default="chat", description="completions for base models"
    )
    prefix: PrefixStyle = Field(
        default="continue_final_message",
        description="how an answer is continued: that flag (vLLM, SGLang), a plain assistant turn "
        "at the end (llama.cpp, Ollama, some clouds), or /completions with `template`",
    )
    template: str = Field(
        default=BASE_TEMPLATE,
        description="Jinja text of `messages` for /completions, up to where the answer begins",
    )
    json_style: SchemaStyle = Field(
        default="json_schema",
        description="response_format json_schema, json_object, or only told in the prompt",
    )
    extra_body: dict[str, Any] = Field(default={}, description="more fields of every request")
    omit: tuple[str, ...] = Field(
        default=(), description="fields that this server does not take, such as seed"
    )
    max_request_mb: float = Field(default=64.0, gt=0)
    max_response_mb: float = Field(default=64.0, gt=0)

    @field_validator("base_url", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("base_url")
    @classmethod
    def _reachable(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one address is needed")
        for text in value:
            url = URL(text)
            if url.scheme not in ("http", "https") or not url.host:
                raise ValueError("an address looks like http://host:8000/v1")
            if url.user or url.password or url.query:
                raise ValueError("an address holds no user, password or query: use api_key_env")
        return tuple(text.rstrip("/") for text in value)

    @field_validator("headers")
    @classmethod
    def _not_secret(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if any(word in name.lower() for word in SECRET_HEADERS):
                raise ValueError(f"{name} looks secret: use api_key_env and api_key_header")
        return value
