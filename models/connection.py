"""One HTTP/1.1 connection to a model server, used for one call after the other.

A body goes out, a whole body comes back: nothing here needs the redirects, cookies, compression
and streams of a general client, which cost 70 us of processor time a call (aiohttp) where this
takes 17. llhttp, the parser of Node.js, reads the answer.
"""

import asyncio
from dataclasses import dataclass
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from synthmill.models.errors import TransientError

HEAD_BYTES = 2**16  # of an answer's status and headers


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one exchange: seconds to connect, between pieces of the body, and in all; bytes."""

    connect: float
    stall: float
    total: float
    response_bytes: int


@dataclass(frozen=True, slots=True)
class Response:
    """What a server answers; names of headers are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Connection(asyncio.Protocol):
    """Sends requests and reads answers, one at a time.

    It closes itself after whatever leaves in doubt where the next answer begins: a failure, a
    cancelled exchange, a server that says more than it was asked.
    """

    def __init__(self, limits: Limits) -> None:
        self.idle_since = 0.0
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._waiting: asyncio.Future[Response] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._start_answer()

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        return not self._transport.is_closing()

    async def exchange(self, request: bytes) -> Response:
        """Send a request as it is, and read the whole answer.

        Raises:
            TransientError: the server broke off, was too slow, said too much or not HTTP.
        """
        self._waiting = self._loop.create_future()
        self._received = 0
        self._ends = self._loop.time() + self._limits.total
        self._fail_at(self._ends)
        self._transport.write(request)
        try:
            response = await self._waiting
        except BaseException:  # cancelled, too: the answer would still come
            self.close()
            raise
        self.idle_since = self._loop.time()
        return response

    def close(self) -> None:
        """Drop the connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read a piece of the answer."""
        if not self._is_waiting:
            self.close()
            return
        self._received += len(data)
        if self._received > HEAD_BYTES + self._limits.response_bytes:
            self._fail(TransientError("answer too large"))
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._fail(TransientError("not HTTP"))
            return
        # The first piece may take as long as the answer takes; after it, silence is a fault.
        if self._pieces and self._is_waiting:
            self._fail_at(min(self._ends, self._loop.time() + self._limits.stall))

    def connection_lost(self, error: Exception | None) -> None:
        """End the answer, where the end of the connection is its end, or fail."""
        if self._is_waiting:
            bounded = self._headers.keys() & {b"content-length", b"transfer-encoding"}
            if not self._status:
                self._fail(TransientError("connection reset"))
            elif bounded or error is not None:
                self._fail(TransientError("truncated answer"))
            else:
                self._finish()
        self.close()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """An answer begins; one that nobody waits for ends the connection."""
        if not self._is_waiting:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """Keep the status."""
        self._status = self._parser.get_status_code()

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Hand the answer over, unless it only says that the answer will come (1xx)."""
        if self._status >= 200:
            self._finish()
            if not self._parser.should_keep_alive():
                self.close()
        self._start_answer()

    # Our own.

    @property
    def _is_waiting(self) -> bool:
        return self._waiting is not None and not self._waiting.done()

    def _start_answer(self) -> None:
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._pieces: list[bytes] = []

    def _finish(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            body = b"".join(self._pieces)
            self._waiting.set_result(Response(self._status, self._headers, body))

    def _fail(self, trouble: TransientError) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(trouble)

    def _fail_at(self, deadline: float) -> None:
        """Set the time limit; the timer runs on from call to call, as setting one is dear."""
        self._deadline = deadline
        if self._timer is None or self._timer.when() > deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._check_clock)

    def _check_clock(self) -> None:
        self._timer = None
        if not self._is_waiting:
            return
        if self._loop.time() < self._deadline:
            self._fail_at(self._deadline)
        else:
            self._fail(TransientError("timed out"))
