"""Settings of the back ends that speak to OpenAI-compatible servers."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from yarl import URL

from synthmill.models.backend import AFFECTS_OUTPUT, BackendSettings
from synthmill.models.concurrency import RatePacer
from synthmill.models.http import HTTPSettings
from synthmill.models.openai_api.dialect import Dialect, PrefixStyle, SchemaStyle, TokensField
from synthmill.models.openai_api.presets import PRESETS, TEMPLATE_SWITCH
from synthmill.models.retry import RetryPolicy
from synthmill.schemas.errors import InputError, nearest

MEGABYTE = 2**20
SECRETS = ("authorization", "cookie", "key", "token", "secret", "password")
BASE_TEMPLATE = "{% for message in messages %}{{ message.content }}\n\n{% endfor %}"


def refuse_secrets(values: dict[str, str], cure: str) -> dict[str, str]:
    """`values`, unless a name looks like a secret: recipes are stored with the rows they make.

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
    total_seconds: float = Field(
        default=600.0,
        gt=0,
        description="longest wait for one answer; calls that take much longer than others of "
        "their kind are given up earlier, and asked again",
    )
    retries: int = Field(
        default=12, ge=0, description="tries after the first, of a call that a live server fails"
    )
    first_backoff_seconds: float = Field(default=0.25, gt=0)
    longest_backoff_seconds: float = Field(default=30.0, gt=0)
    max_concurrency: int = Field(
        default=256, ge=1, description="most calls at once at one endpoint; it adapts below that"
    )
    requests_per_minute: float | None = Field(
        default=None, gt=0, description="most calls per minute at one endpoint"
    )
    tokens_per_minute: float | None = Field(
        default=None, gt=0, description="most prompt and generated tokens per minute, likewise"
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
        description="response_format json_schema, json_object, or only in the prompt",
    )
    tokens_field: TokensField = Field(
        default="max_tokens", description="what the server calls the bound on generated tokens"
    )
    thinking: bool | None = Field(
        default=None, description="switch the model's thinking on or off; default the model's own"
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
    tls_ca_file: Path | None = Field(
        default=None, description="PEM file of a certificate authority to trust as well"
    )
    tls_client_certificate: Path | None = Field(
        default=None, description="PEM file of a certificate with its key, for servers that ask"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        """What the preset knows, and the fields that switch thinking, where none are given."""
        if not isinstance(values, dict):
            return values
        name, switch, known = values.get("preset"), TEMPLATE_SWITCH, dict[str, Any]()
        if name is not None:
            if name not in PRESETS:
                hint = nearest(str(name), list(PRESETS))
                raise ValueError(f"there is no preset {name!r}{hint}; known: {', '.join(PRESETS)}")
            preset = PRESETS[name]
            known = {"base_url": preset.base_url, "api_key_env": preset.key, **preset.settings}
            if values.get("thinking") is not None and preset.thinking is None:
                raise ValueError(f"no switch for thinking is known of {name}: use extra_body")
            switch = preset.thinking or switch
        thinking = values.get("thinking")
        extra = values.get("extra_body", {})
        if isinstance(thinking, bool) and isinstance(extra, dict):
            known["extra_body"] = switch[0 if thinking else 1] | extra
            values = {key: value for key, value in values.items() if key != "extra_body"}
        return known | values

    @property
    def dialect(self) -> Dialect:
        """How requests are written, as far as the settings say."""
        return Dialect(
            self.json_style, self.prefix, self.tokens_field, self.max_samples, frozenset(self.omit)
        )

    @property
    def retry_policy(self) -> RetryPolicy:
        """How failed calls are tried again."""
        return RetryPolicy(self.retries, self.first_backoff_seconds, self.longest_backoff_seconds)

    @property
    def http(self) -> HTTPSettings:
        """Bounds of an exchange, and certificates."""
        return HTTPSettings(
            self.connect_seconds,
            int(self.max_response_mb * MEGABYTE),
            self.tls_ca_file,
            self.tls_client_certificate,
        )

    def pacer(self) -> RatePacer:
        """A new pacer for one endpoint."""
        return RatePacer(self.requests_per_minute, self.tokens_per_minute)


class OpenAISettings(WireSettings):
    """How an endpoint is reached, and what it understands."""

    preset: str | None = Field(
        default=None, description=f"a known kind of server: {', '.join(PRESETS)}"
    )
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
        InputError: it is not an address, or it holds a secret; the message does not repeat it.
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
