"""One HTTP exchange with a server that may be slow, broken or hostile."""

import asyncio
import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from synthmill.models.address import Address
from synthmill.models.connection import Limits, Response
from synthmill.models.errors import HTTPStatusError, RateLimited, TransientError
from synthmill.schemas.errors import InputError

ERROR_CHARS = 300  # of a server's own words in a message
RETRIED = frozenset({408, 409, 425})
# A body is read as it comes: unpacking would undo the bound on its size.
HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "synthmill",
}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_HEADER_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Transport:
    """The way to the servers of one back end.

    `secret` is the key, if there is one: it is taken out of everything a server says.

    Raises:
        InputError: one of the headers cannot be sent.
    """

    def __init__(self, headers: Mapping[str, str], limits: Limits, *, secret: str | None) -> None:
        self._limits = limits
        self._secret = secret
        self._addresses: dict[str, Address] = {}
        self._headers = {**HEADERS, **_checked(headers)}

    async def close(self) -> None:
        """Close all connections."""
        for address in self._addresses.values():
            address.close()
        await asyncio.sleep(0)  # the event loop closes the sockets

    async def get(self, url: str) -> bytes:
        """The body of a GET; raises as `post` does."""
        return self._body(url, await self._address(url).get())

    async def post(self, url: str, body: bytes) -> bytes:
        """The body of the answer to a JSON body.

        Raises:
            RateLimited: HTTP 429, or 503 with Retry-After.
            TransientError: any other failure that may pass.
            HTTPStatusError: one that will not.
        """
        return self._body(url, await self._address(url).post(body))

    def _address(self, url: str) -> Address:
        address = self._addresses.get(url)
        if address is None:
            address = self._addresses[url] = Address(url, self._headers, self._limits)
        return address

    def _body(self, url: str, response: Response) -> bytes:
        if not 200 <= response.status < 300:
            self._judge(url, response)
        return response.body

    def _judge(self, url: str, response: Response) -> None:
        status = response.status
        told = response.headers.get(b"retry-after")
        wait = retry_after(told.decode("latin-1")) if told else None
        if status == 429 or (status == 503 and wait is not None):
            raise RateLimited(f"HTTP {status}", wait)
        if status >= 500 or status in RETRIED:
            raise TransientError(f"HTTP {status}")
        raise HTTPStatusError(status, f"{url} says HTTP {status}: {self._words(response.body)}")

    def _words(self, body: bytes) -> str:
        """What a server says, safe to show: one bounded line without the key."""
        if self._secret:
            body = body.replace(self._secret.encode(), b"[key]")
        text = _message(body) or body[: 8 * ERROR_CHARS].decode("utf-8", "replace")
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text[:ERROR_CHARS] or "nothing"


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers that are safe to send, their names spelled as ours are, so that they replace them."""
    for name, value in headers.items():
        # The value may be the key, so the message does not repeat it.
        if not _HEADER_NAME.fullmatch(name) or _NO_HEADER_VALUE.search(value):
            raise InputError(f"header {name!r}: its name or value holds what no header may hold")
    return {name.title(): value for name, value in headers.items()}


def _message(body: bytes) -> str | None:
    """The message in an error of OpenAI's form."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return None


def retry_after(value: str) -> float | None:
    """Seconds that a Retry-After header asks for (a number or an HTTP date); None for neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
