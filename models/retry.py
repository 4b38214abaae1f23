"""When a failed call is tried again, and how long it waits before that."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from random import Random

RETRIED_STATUSES = frozenset({408, 409, 425, 429})
# A time-out is doubled after each call that it ended: a long answer gets through at last.
TIMEOUT_GROWTH = 1.5
_RATE_HEADERS = [
    (kind, [pattern % part for part in ("remaining", "limit", "reset")])
    for kind, pattern in (
        ("requests", "x-ratelimit-%s-requests"),
        ("tokens", "x-ratelimit-%s-tokens"),
        ("requests", "anthropic-ratelimit-requests-%s"),
        ("tokens", "anthropic-ratelimit-tokens-%s"),
        ("requests", "x-ratelimit-%s"),
    )
]
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def is_retryable(status: int) -> bool:
    """Whether an answer with this HTTP status may be another one later."""
    return (status >= 500 and status != 501) or status in RETRIED_STATUSES


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a call is tried again, and the pauses between its tries.

    `retries` counts failures of a server that answers other calls; refusals for rate and servers
    that cannot be reached are waited for as long as the back end waits for a dead server.
    """

    retries: int
    first_backoff: float
    longest_backoff: float

    def backoff(self, failures: int, random: Random) -> float:
        """Seconds before the next try after so many failures: exponential, with jitter."""
        longest = self.first_backoff * 2.0 ** min(max(0, failures - 1), 30)
        return min(longest, self.longest_backoff) * random.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """What a server's headers say of one rate limit: calls or tokens left, seconds to a full one.

    `interval` is how far apart further calls may be once nothing is left: the limit refills
    by `limit - remaining` in `reset` seconds (OpenAI, Anthropic and Groq fill up all the time;
    where a server refills at once, calls at this distance meet some refusals, and are repeated).
    """

    limit: int
    remaining: int
    reset: float

    @property
    def interval(self) -> float:
        """Seconds between calls that the limit allows in the long run."""
        return self.reset / max(1, self.limit - self.remaining)


def rate_headers(headers: Mapping[str, str]) -> dict[str, RateHeaders]:
    """The rate limits in an answer's headers: `requests` and `tokens`, where they are given.

    Reads `x-ratelimit-remaining-requests` (OpenAI, Groq, vLLM gateways),
    `anthropic-ratelimit-requests-remaining` and the plain `x-ratelimit-remaining`.
    """
    found: dict[str, RateHeaders] = {}
    for kind, names in _RATE_HEADERS:
        if names[0] in headers and kind not in found:
            remaining, limit, reset = (headers.get(name, "") for name in names)
            try:
                found[kind] = RateHeaders(int(limit), int(remaining), _seconds_until(reset))
            except ValueError:
                continue
    return found


def parse_retry_after(value: str) -> float | None:
    """Seconds that a Retry-After header asks for (a number or an HTTP date); None for neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def retry_delay(headers: Mapping[str, str]) -> float | None:
    """Seconds that a refusal asks for: `retry-after-ms`, `retry-after`, else None."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = parse_retry_after(headers[name]) if name in headers else None
        if seconds is not None:
            return seconds * unit
    return None


def _seconds_until(text: str) -> float:
    """Seconds in a reset header: `6m0s`, `20ms`, `1.5`, a Unix time, or an ISO time.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip()
    parts = _DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    elif re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
        if seconds > 1e12:  # a Unix time in milliseconds
            seconds /= 1000
        if seconds > 1e9:
            seconds -= time.time()
    else:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        seconds = moment.timestamp() - time.time()
    return min(max(0.0, seconds), 86400.0)
