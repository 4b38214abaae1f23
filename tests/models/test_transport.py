"""Exchanges with a server that is scripted byte by byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from synthmill.models import address
from synthmill.models.connection import HEAD_BYTES, Limits
from synthmill.models.errors import HTTPStatusError, RateLimited, TransientError
from synthmill.models.transport import Transport
from synthmill.schemas.errors import InputError

LIMITS = Limits(connect=2.0, stall=0.5, total=1.5, response_bytes=2**16)
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
LATE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Plays one script for each request; the last one again and again."""

    def __init__(self, scripts: Iterable[Script]) -> None:
        self.scripts = list(scripts)
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = head.lower().partition("content-length: ")[2].partition("\r\n")[0]
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(int(length or 0)))
                script = self.scripts[0] if len(self.scripts) == 1 else self.scripts.pop(0)
                await script(writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


def says(*pieces: bytes | float, close: bool = False) -> Script:
    """Writes bytes and waits seconds, in order; then closes the connection, if told to."""

    async def script(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            if isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)
        if close:
            writer.close()

    return script


@asynccontextmanager
async def serving(*scripts: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(scripts)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/v1/chat/completions"
    try:
        yield server
    finally:
        listener.close()


@asynccontextmanager
async def sending(headers: dict[str, str] | None = None) -> AsyncIterator[Transport]:
    transport = Transport(headers or {}, LIMITS, secret=None)
    try:
        yield transport
    finally:
        await transport.close()


async def outcome(*scripts: Script) -> bytes | str:
    """The body that a post gets, or the kind of its trouble."""
    async with serving(*scripts) as server, sending() as transport:
        try:
            return await transport.post(server.url, b"{}")
        except TransientError as trouble:
            return trouble.kind


async def test_a_connection_is_used_again() -> None:
    async with serving(says(GOOD)) as server, sending() as transport:
        for number in range(5):
            assert await transport.post(server.url, b"%d" % number) == b"good"
        assert server.bodies == [b"0", b"1", b"2", b"3", b"4"]
        assert server.connections == 1
        await asyncio.gather(*(transport.post(server.url, b"") for _ in range(3)))
        assert server.connections == 3


async def test_what_is_sent() -> None:
    key = {"authorization": "Bearer x", "CONTENT-TYPE": "application/vnd.test+json"}
    async with serving(says(GOOD)) as server, sending(key) as transport:
        await transport.post(server.url, b"{}")
        await transport.get(server.url)
    host = server.url.split("/")[2]
    same = (
        f"Host: {host}\r\nAccept: */*\r\nAccept-Encoding: identity\r\n"
        "Content-Type: application/vnd.test+json\r\nUser-Agent: synthmill\r\n"
        "Authorization: Bearer x\r\n"
    )
    assert server.heads == [
        f"POST /v1/chat/completions HTTP/1.1\r\n{same}Content-Length: 2\r\n\r\n",
        f"GET /v1/chat/completions HTTP/1.1\r\n{same}\r\n",
    ]


async def test_a_header_that_would_break_the_request_is_told_without_its_value() -> None:
    for name, value in (("Authorization", "Bearer x\r\nHost: evil"), ("a b", "x"), ("", "x")):
        with pytest.raises(InputError, match="header") as error:
            Transport({name: value}, LIMITS, secret=None)
        assert "evil" not in str(error.value)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ngo\r\n2\r\nod\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        says(CHUNKED),
        says(*(CHUNKED[i : i + 1] for i in range(len(CHUNKED)))),
        says(b"HTTP/1.1 200 OK\r\n\r\ngo", 0.05, b"od", close=True),
        says(b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\ngood"),
        says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 0.05, GOOD),
        says(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", 2 * LIMITS.stall, b"good"),
    ],
    ids=["chunked", "bytewise", "to the end", "HTTP/1.0", "hints", "continue", "slow first piece"],
)
async def test_answers_that_are_whole(answer: Script) -> None:
    assert await outcome(answer) == b"good"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (says(close=True), "connection reset"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Le", close=True), "connection reset"),
        (says(b"HTTP/1.1 103 Early Hints\r\n\r\n", close=True), "connection reset"),
        (says(GOOD[:-1], close=True), "truncated answer"),
        (says(CHUNKED[:-5], close=True), "truncated answer"),
        (says(b"SSH-2.0-OpenSSH_9.2\r\n"), "not HTTP"),
        (says(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "not HTTP"),
        (says(GOOD[:-1]), "timed out"),
        (says(), "timed out"),
        (says(CHUNKED[:-5] * 2), "not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 2**14] * 9), "answer too large"),
        (says(b"HTTP/1.1 200 OK\r\n", *[b"X-Flood: " + b"x" * 2**14] * 9), "answer too large"),
    ],
)
async def test_answers_that_are_none(answer: Script, kind: str) -> None:
    assert LIMITS.response_bytes + HEAD_BYTES < 9 * 2**14
    assert await outcome(answer) == kind


async def test_silence_ends_an_answer_and_so_does_its_whole_time() -> None:
    loop = asyncio.get_running_loop()
    start = b"HTTP/1.1 200 OK\r\n\r\n"
    drops = [piece for _ in range(30) for piece in (b"x", 0.1)]
    for script, least, most in (
        (says(start, b"x", 5.0), LIMITS.stall, LIMITS.total),
        (says(start, *drops), LIMITS.total, 3.0),
    ):
        began = loop.time()
        assert await outcome(script) == "timed out"
        assert least <= loop.time() - began < most


async def test_a_timer_that_runs_on_does_not_end_a_later_call() -> None:
    async with serving(says(0.5, GOOD)) as server, sending() as transport:
        for _ in range(4):  # longer, together, than one may take
            assert await transport.post(server.url, b"{}") == b"good"
        assert server.connections == 1


@pytest.mark.parametrize(
    "first",
    [
        says(GOOD + LATE),
        says(GOOD + LATE[:-2]),
        says(GOOD, 0.02, LATE),
        says(GOOD, 0.02, close=True),
        says(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngood"),
    ],
    ids=["two at once", "more than one", "one unasked", "closed", "to be closed"],
)
async def test_an_answer_never_goes_to_another_question(first: Script) -> None:
    async with serving(first, says(GOOD)) as server, sending() as transport:
        for _ in range(3):
            assert await transport.post(server.url, b"{}") == b"good"
            await asyncio.sleep(0.1)
        assert server.connections == 2


async def test_a_cancelled_call_takes_its_connection_along() -> None:
    async with serving(says(0.2, LATE), says(GOOD)) as server, sending() as transport:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(transport.post(server.url, b"{}"), 0.1)
        await asyncio.sleep(0.2)
        assert await transport.post(server.url, b"{}") == b"good"
        assert server.connections == 2


async def test_a_connection_is_not_kept_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "KEEP_SECONDS", 0.1)
    async with serving(says(GOOD)) as server, sending() as transport:
        await asyncio.gather(*(transport.post(server.url, b"{}") for _ in range(2)))
        assert server.connections == 2
        await asyncio.sleep(0.2)
        await transport.post(server.url, b"{}")
        assert server.connections == 3


async def test_statuses_are_judged() -> None:
    def status(line: str, *headers: str) -> Script:
        lines = "\r\n".join((f"HTTP/1.1 {line}", "Content-Length: 2", *headers))
        return says(f"{lines}\r\n\r\nno".encode())

    async def failing(script: Script) -> Exception:
        async with serving(script) as server, sending() as transport:
            with pytest.raises((TransientError, HTTPStatusError)) as failed:
                await transport.post(server.url, b"{}")
            return failed.value

    for line, header, wait in (("429 x", "retry-after: 3", 3.0), ("429 x", "Via: y", None)):
        limited = await failing(status(line, header))
        assert isinstance(limited, RateLimited)
        assert limited.wait == wait
    assert isinstance(await failing(status("503 x", "Retry-After: 1")), RateLimited)
    assert (await failing(status("503 x"))).args == ("HTTP 503",)
    for code in (301, 304, 400, 404, 413):
        rejected = await failing(status(f"{code} x"))
        assert isinstance(rejected, HTTPStatusError)
        assert rejected.status == code


async def test_no_server_is_told() -> None:
    async with serving(says(GOOD)) as server:
        pass
    async with sending() as transport:
        with pytest.raises(TransientError, match="no connection") as trouble:
            await transport.post(server.url, b"{}")
        assert trouble.value.absent


async def test_a_certificate_must_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(tmp_path / "server.pem"))
    async with serving(says(GOOD), tls=tls) as server:
        async with sending() as transport:
            with pytest.raises(HTTPStatusError, match="no trusted connection"):
                await transport.post(server.url, b"{}")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        async with sending() as transport:
            for _ in range(3):
                assert await transport.post(server.url, b"{}") == b"good"
        assert server.connections == 1


def self_signed(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 at `path`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path
