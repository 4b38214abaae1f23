"""How calls of a model fail."""

from collections.abc import Mapping

TIMED_OUT = "timed out"


class ModelError(Exception):
    """Base of everything that a call of a model may raise."""


class ServerUnavailable(ModelError):
    """No answer can be had now, and retrying did not help; the run pauses, then stops."""


class RequestRejected(ModelError):
    """This request will never be answered (too long a prompt, a field the server rejects)."""


class ConfigurationError(RequestRejected):
    """No request will ever be answered (bad key, unknown model): the run is pointless."""


class TransientError(ModelError):
    """A failure that may pass, inside a back end, which tries again.

    `kind` is a short stable phrase that reports count; `absent` says that no connection could be
    made, so that every other call would fail as well; `detail` holds the server's own words.
    """

    def __init__(self, kind: str, *, absent: bool = False, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind = kind
        self.absent = absent


class RateLimited(TransientError):
    """The server asks to come back after `wait` seconds (None: it does not say when)."""

    def __init__(
        self,
        kind: str,
        wait: float | None,
        *,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind, detail=detail)
        self.wait = wait
        self.headers = headers or {}


class HTTPStatusError(ModelError):
    """The server rejects a request: its HTTP `status`, its own words, the field it blames."""

    def __init__(
        self, status: int, text: str, *, detail: str = "", parameter: str | None = None
    ) -> None:
        super().__init__(text)
        self.status = status
        self.detail = detail
        self.parameter = parameter
