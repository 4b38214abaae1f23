"""One HTTP exchange with a model server that may be slow, broken or hostile."""

import asyncio
import json
import re
import ssl
import urllib.request
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import aiohttp
from aiohttp import hdrs
from yarl import URL

from synthmill.models.errors import TIMED_OUT, HTTPStatusError, RateLimited, TransientError
from synthmill.models.retry import is_retryable, retry_delay
from synthmill.schemas.errors import InputError

ERROR_CHARS = 300  # of a server's own words in a message
REDIRECTS = 5
KEEP_ALIVE_SECONDS = 15.0
# Answers are small beside the time that a model takes for them, so they need no compression.
HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "synthmill",
}
REDIRECT_STATUSES = frozenset({301, 302, 307, 308})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_HEADER_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class HTTPSettings:
    """Bounds of an exchange, and the certificates: files in PEM form."""

    connect_seconds: float = 10.0
    response_bytes: int = 2**26
    ca_file: Path | None = None
    client_certificate: Path | None = None


class HTTPResponse(NamedTuple):
    """A whole answer with a status of 2xx; names of headers compare without case."""

    headers: Mapping[str, str]
    body: bytes


class _Route(NamedTuple):
    url: URL
    proxy: str | None
    tls: ssl.SSLContext | bool


class HTTPClient:
    """Sends requests with a key to the servers of one back end.

    Proxies are taken from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), for all but
    loopback addresses. A redirect is followed to the same host alone, so the key goes nowhere else.
    `secret` is the key, if there is one: it is taken out of everything a server says.

    Raises:
        InputError: one of the headers cannot be sent.
    """

    def __init__(
        self, headers: Mapping[str, str], settings: HTTPSettings, *, secret: str | None
    ) -> None:
        self._settings = settings
        self._secret = secret
        self._routes: dict[str, _Route] = {}
        self._tls: ssl.SSLContext | None = None
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            headers={**HEADERS, **_checked(headers)},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()
        await asyncio.sleep(0)  # the event loop closes the sockets

    async def send(self, url: str, body: bytes | None = None) -> HTTPResponse:
        """The answer to a GET, or to a POST with a JSON body; only connecting has a time limit.

        Raises:
            RateLimited: HTTP 429, or 503 with Retry-After.
            TransientError: any other failure that may pass.
            HTTPStatusError: one that will not.
        """
        address, method = url, "GET" if body is None else "POST"
        try:
            for _ in range(REDIRECTS):
                target, proxy, tls = self._routes.get(address) or self._route(address)
                response = await self._session.request(
                    method,
                    target,
                    data=None if body is None else aiohttp.BytesPayload(body),
                    allow_redirects=False,
                    proxy=proxy,
                    ssl=tls,
                )
                try:
                    if response.status in REDIRECT_STATUSES and hdrs.LOCATION in response.headers:
                        address = self._redirected(response)
                        continue
                    answer = await self._read(response)
                finally:
                    response.release()  # closes the connection where the answer is not whole
                if not 200 <= response.status < 300:
                    raise self._failure(url, response.status, response.headers, answer)
                return HTTPResponse(response.headers, answer)
        except (aiohttp.ClientError, OSError) as error:
            raise _as_model_error(url, error) from error
        raise HTTPStatusError(310, f"{url} redirects more than {REDIRECTS} times")

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, which is bounded before and after it is unpacked."""
        most = self._settings.response_bytes
        encoding = response.headers.get(hdrs.CONTENT_ENCODING, "identity").lower()
        if encoding == "identity" and (response.content_length or most) < most:
            # No longer than it says; mostly it has come with the headers.
            content = response.content
            return content.read_nowait() if content.is_eof() else await response.read()
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > most:
                raise TransientError("answer too large")
            pieces.append(piece)
        body = b"".join(pieces)
        if encoding == "identity" or not body:
            return body
        if encoding not in ("gzip", "deflate"):
            raise TransientError("answer in an unknown encoding")
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            body = unpacker.decompress(body, most)
        except zlib.error as error:
            raise TransientError("truncated answer") from error
        if unpacker.unconsumed_tail:
            raise TransientError("answer too large")
        return body

    def _redirected(self, response: aiohttp.ClientResponse) -> str:
        target = response.url.join(URL(response.headers[hdrs.LOCATION]))
        same = target.host == response.url.host and (
            target.origin() == response.url.origin()
            or (response.url.scheme == "http" and target.scheme == "https")
        )
        if not same:
            raise HTTPStatusError(
                response.status,
                f"{response.url} redirects to another host, {target.host}, which gets no key",
            )
        return str(target)

    def _failure(
        self, url: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> TransientError | HTTPStatusError:
        if status < 200:
            return TransientError("not HTTP")
        wait = retry_delay(headers)
        detail, parameter = self._server_message(body)
        if status == 429 or (status == 503 and wait is not None):
            return RateLimited(f"HTTP {status}", wait, detail=detail, headers=headers)
        if is_retryable(status):
            return TransientError(f"HTTP {status}", detail=detail)
        text = f"{url} says HTTP {status}: {detail or 'nothing'}"
        return HTTPStatusError(status, text, detail=detail, parameter=parameter)

    def _server_message(self, body: bytes) -> tuple[str, str | None]:
        """What a server says in one bounded line without the key, and the field it blames."""
        if self._secret:
            body = body.replace(self._secret.encode(), b"[key]")
        said, parameter = error_message(body)
        text = said or body[: 8 * ERROR_CHARS].decode("utf-8", "replace")
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text[:ERROR_CHARS], parameter

    def _route(self, address: str) -> "_Route":
        """How an address is reached: with the proxy that the environment names for its host."""
        # aiohttp's `trust_env` would also take passwords from ~/.netrc, which collide with the key,
        # and send calls of servers on loopback to the proxy.
        url = URL(address)
        host = url.host or ""
        bypassed = _is_loopback(host) or urllib.request.proxy_bypass(host)
        proxies = {} if bypassed else urllib.request.getproxies()
        if url.scheme == "https" and self._tls is None:
            self._tls = _tls(self._settings)  # takes a tenth of a second
        proxy = proxies.get(url.scheme) or proxies.get("all")
        self._routes[address] = route = _Route(url, proxy, self._tls or True)
        return route


def error_message(body: bytes) -> tuple[str | None, str | None]:
    """The message in a server's error, and the request's field that it blames.

    Servers write `{"error": {"message", "param"}}`, `{"error": text}`, `{"message": text}` or
    FastAPI's `{"detail": text or list}`; Gemini wraps the object in a list.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None, None
    said = said[0] if isinstance(said, list) and said else said
    if not isinstance(said, dict):
        return None, None
    error = said.get("error") or said
    if isinstance(error, str):
        return error, None
    if not isinstance(error, dict):
        return None, None
    parameter = error.get("param")
    text = error.get("message") or error.get("detail")
    if isinstance(text, (list, dict)):
        text = json.dumps(text)
    return (str(text) if text else None), parameter if isinstance(parameter, str) else None


def _as_model_error(url: str, error: Exception) -> TransientError | HTTPStatusError:
    """What a failure of aiohttp means; the order matters, as its classes overlap."""
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return HTTPStatusError(0, f"{url}: no trusted connection: {error}")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return TransientError("proxy failed", absent=True, detail=f"HTTP {error.status}")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return TransientError("no connection", absent=True)
    if isinstance(error, aiohttp.ClientPayloadError):
        return TransientError("truncated answer")
    if isinstance(error, aiohttp.ClientResponseError):
        return TransientError("not HTTP")
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return HTTPStatusError(0, f"{url}: {error}")
    if isinstance(error, TimeoutError):
        return TransientError(TIMED_OUT)
    return TransientError("connection reset")


def _checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers that are safe to send, their names spelled as ours are, so that they replace them."""
    for name, value in headers.items():
        # The value may be the key, so the message does not repeat it.
        if not _HEADER_NAME.fullmatch(name) or _NO_HEADER_VALUE.search(value):
            raise InputError(f"header {name!r}: its name or value holds what no header may hold")
    return {name.title(): value for name, value in headers.items()}


def _tls(settings: HTTPSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if settings.ca_file is not None:
            context.load_verify_locations(settings.ca_file)
        if settings.client_certificate is not None:
            context.load_cert_chain(settings.client_certificate)
    except OSError as error:  # ssl.SSLError is one
        raise InputError(
            f"tls_ca_file or tls_client_certificate cannot be read: {error}"
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
