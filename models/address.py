"""One URL of a model server, and the connections that are open to it."""

import asyncio
import ssl
from collections.abc import Mapping

from yarl import URL

from synthmill.models.connection import Connection, Limits, Response
from synthmill.models.errors import HTTPStatusError, TransientError

KEEP_SECONDS = 15.0  # longer than that, and the server may be about to close an idle connection
EYEBALLS_SECONDS = 0.25  # head start of a host's first address over its next (RFC 8305)


class Address:
    """Sends requests to one URL, over as many connections as there are requests at once."""

    def __init__(self, url: str, headers: Mapping[str, str], limits: Limits) -> None:
        self._url = URL(url)
        self._host, self._port = self._url.raw_host or "", self._url.port or 0
        self._limits = limits
        self._tls = _tls() if self._url.scheme == "https" else None
        self._idle: list[Connection] = []
        fields = {"Host": self._url.host_port_subcomponent or "", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._get = f"GET {self._url.raw_path_qs} HTTP/1.1\r\n{lines}\r\n".encode()
        self._post = f"POST {self._url.raw_path_qs} HTTP/1.1\r\n{lines}Content-Length: ".encode()

    async def get(self) -> Response:
        """The answer to a GET, over a new connection, so that it tells whether there is a server.

        Raises:
            TransientError, HTTPStatusError: as `post` does.
        """
        return await self._exchange(await self._connect(), self._get)

    async def post(self, body: bytes) -> Response:
        """The answer to a POST of `body`.

        Raises:
            TransientError: there was none.
            HTTPStatusError: the server's certificate is not trusted.
        """
        request = b"%b%d\r\n\r\n%b" % (self._post, len(body), body)
        return await self._exchange(self._kept() or await self._connect(), request)

    def close(self) -> None:
        """Close the connections that no request is using."""
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _exchange(self, connection: Connection, request: bytes) -> Response:
        response = await connection.exchange(request)
        if connection.usable:
            self._idle.append(connection)
        return response

    def _kept(self) -> Connection | None:
        """The connection that was used last, unless all have been idle for too long."""
        stale = asyncio.get_running_loop().time() - KEEP_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and connection.idle_since > stale:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._limits.connect):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self._limits),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    happy_eyeballs_delay=EYEBALLS_SECONDS,
                )
        except ssl.SSLError as error:
            raise HTTPStatusError(0, f"{self._url}: no trusted connection: {error}") from error
        except OSError as error:  # a time-out is one, too
            raise TransientError("no connection", absent=True) from error
        return connection


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
