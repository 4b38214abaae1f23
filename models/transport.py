"""One HTTP exchange with a server that may be slow, broken or hostile."""

import asyncio
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import aiohttp

ERROR_CHARS = 300  # of a server's own words in a message
RETRIED = frozenset({408, 409, 425})


class Trouble(Exception):
    """A failure that may pass; `kind` is a short stable phrase that reports count."""

    def __init__(self, kind: str, *, absent: bool = False) -> None:
        super().__init__(kind)
        self.kind = kind
        self.absent = absent


class Limited(Trouble):
    """The server asks for patience: `wait` seconds, or None where it does not say."""

    def __init__(self, kind: str, wait: float | None) -> None:
        super().__init__(kind)
        self.wait = wait


class Rejected(Exception):
    """The server will not answer this: its HTTP `status`, and its words as the message."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one exchange: seconds to connect, between pieces of the body, and in all; bytes."""

    connect: float
    stall: float
    total: float
    response_bytes: int


class Transport:
    """A pool of connections to the servers of one back end.

    `secret` is the key, if there is one: it is taken out of everything a server says.
    """

    def __init__(self, headers: Mapping[str, str], limits: Limits, *, secret: str | None) -> None:
        self._limits = limits
        self._secret = secret
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
            # A body is read as it comes: unpacking would undo the bound on its size.
            headers={
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                **headers,
            },
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=limits.total, sock_connect=limits.connect),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def get(self, url: str) -> bytes:
        """The body of a GET; raises as `post` does."""
        return await self._exchange("GET", url, None)

    async def post(self, url: str, body: bytes) -> bytes:
        """The body of the answer to a JSON body.

        Raises:
            Limited: HTTP 429, or 503 with Retry-After.
            Trouble: any other failure that may pass.
            Rejected: one that will not.
        """
        return await self._exchange("POST", url, body)

    async def _exchange(self, method: str, url: str, body: bytes | None) -> bytes:
        try:
            async with self._session.request(
                method, url, data=body, allow_redirects=False
            ) as response:
                answer = await self._read(response)
                if not response.ok or response.status >= 300:
                    self._judge(response, answer)
                return answer
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise Rejected(0, f"{url}: no trusted connection: {error}") from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Trouble("no connection", absent=True) from error
        except TimeoutError as error:
            raise Trouble("timed out") from error
        except aiohttp.ClientPayloadError as error:
            raise Trouble("truncated answer") from error
        except aiohttp.ClientResponseError as error:
            raise Trouble("not HTTP") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Trouble("connection reset") from error

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        # The first piece may take as long as the answer takes; after it, silence is a fault.
        pieces = [await response.content.readany()]
        size = len(pieces[0])
        while size <= self._limits.response_bytes and not response.content.at_eof():
            async with asyncio.timeout(self._limits.stall):
                pieces.append(await response.content.readany())
            size += len(pieces[-1])
        if size > self._limits.response_bytes:
            response.close()
            raise Trouble("answer too large")
        return b"".join(pieces)

    def _judge(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        status = response.status
        wait = retry_after(response.headers.get("Retry-After"))
        if status == 429 or (status == 503 and wait is not None):
            raise Limited(f"HTTP {status}", wait)
        if status >= 500 or status in RETRIED:
            raise Trouble(f"HTTP {status}")
        raise Rejected(status, f"{response.url} says HTTP {status}: {self._words(body)}")

    def _words(self, body: bytes) -> str:
        """What a server says, safe to show: one bounded line without the key."""
        if self._secret:
            body = body.replace(self._secret.encode(), b"[key]")
        text = _message(body) or body[: 8 * ERROR_CHARS].decode("utf-8", "replace")
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text[:ERROR_CHARS] or "nothing"


def _message(body: bytes) -> str | None:
    """The message in an error of OpenAI's form."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return None


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for (a number or an HTTP date); None without one."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
