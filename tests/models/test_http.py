"""Exchanges with a server that is scripted byte by byte."""

import asyncio
import gzip
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

from synthmill.models.errors import HTTPStatusError, RateLimited, TransientError
from synthmill.models.http import HTTPClient, HTTPSettings
from synthmill.schemas.errors import InputError

SETTINGS = HTTPSettings(connect_seconds=2.0, response_bytes=2**16)
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
async def sending(
    headers: dict[str, str] | None = None, settings: HTTPSettings = SETTINGS
) -> AsyncIterator[HTTPClient]:
    client = HTTPClient(headers or {}, settings, secret="sk-secret")
    try:
        yield client
    finally:
        await client.close()


async def outcome(*scripts: Script) -> bytes | str:
    """The body that a post gets, or the kind of its trouble."""
    async with serving(*scripts) as server, sending() as client:
        try:
            return (await client.send(server.url, b"{}")).body
        except TransientError as trouble:
            return trouble.kind


async def test_a_connection_is_used_again() -> None:
    async with serving(says(GOOD)) as server, sending() as client:
        for number in range(5):
            assert (await client.send(server.url, b"%d" % number)).body == b"good"
        assert server.bodies == [b"0", b"1", b"2", b"3", b"4"]
        assert server.connections == 1
        await asyncio.gather(*(client.send(server.url, b"") for _ in range(3)))
        assert server.connections == 3


async def test_what_is_sent() -> None:
    key = {"authorization": "Bearer x", "CONTENT-TYPE": "application/vnd.test+json"}
    async with serving(says(GOOD)) as server, sending(key) as client:
        await client.send(server.url, b"{}")
        await client.send(server.url)
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
            HTTPClient({name: value}, SETTINGS, secret=None)
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
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", 0.5, b"good"),
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
        (says(CHUNKED[:-5] * 2), "not HTTP"),
        (says(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 2**14] * 9), "answer too large"),
        (says(b"HTTP/1.1 200 OK\r\n", *[b"X-Flood: " + b"x" * 2**14] * 9), "not HTTP"),
    ],
)
async def test_answers_that_are_none(answer: Script, kind: str) -> None:
    assert SETTINGS.response_bytes < 9 * 2**14
    assert await outcome(answer) == kind


@pytest.mark.parametrize(
    ("body", "kind"), [(b"x" * 2**15, None), (b"x" * 2**24, "answer too large")]
)
async def test_a_compressed_answer_is_bounded_as_it_is_unpacked(
    body: bytes, kind: str | None
) -> None:
    packed = gzip.compress(body)
    assert len(packed) < SETTINGS.response_bytes
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    assert await outcome(says(head + packed)) == (kind or body)


@pytest.mark.parametrize(
    "first",
    [
        says(GOOD + LATE),
        says(GOOD + LATE[:-2]),
        says(GOOD, 0.02, close=True),
        says(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngood"),
    ],
    ids=["two at once", "more than one", "closed", "to be closed"],
)
async def test_an_answer_never_goes_to_another_question(first: Script) -> None:
    async with serving(first, says(GOOD)) as server, sending() as client:
        for _ in range(3):
            assert (await client.send(server.url, b"{}")).body == b"good"
            await asyncio.sleep(0.1)
        assert server.connections == 2


async def test_a_cancelled_call_takes_its_connection_along() -> None:
    async with serving(says(0.2, LATE), says(GOOD)) as server, sending() as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.send(server.url, b"{}"), 0.1)
        await asyncio.sleep(0.2)
        assert (await client.send(server.url, b"{}")).body == b"good"
        assert server.connections == 2


async def test_statuses_are_judged() -> None:
    def status(line: str, *headers: str) -> Script:
        lines = "\r\n".join((f"HTTP/1.1 {line}", "Content-Length: 2", *headers))
        return says(f"{lines}\r\n\r\nno".encode())

    async def failing(script: Script) -> Exception:
        async with serving(script) as server, sending() as client:
            with pytest.raises((TransientError, HTTPStatusError)) as failed:
                await client.send(server.url, b"{}")
            return failed.value

    for line, header, wait in (("429 x", "retry-after: 3", 3.0), ("429 x", "Via: y", None)):
        limited = await failing(status(line, header))
        assert isinstance(limited, RateLimited)
        assert limited.wait == wait
    assert isinstance(await failing(status("503 x", "Retry-After: 1")), RateLimited)
    assert (await failing(status("503 x"))).args == ("HTTP 503: no",)
    for code in (303, 400, 404, 413, 501):
        rejected = await failing(status(f"{code} x"))
        assert isinstance(rejected, HTTPStatusError)
        assert rejected.status == code


REDIRECT = b"HTTP/1.1 %d x\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_to_the_same_host_is_followed_with_the_body_and_the_key(
    status: int,
) -> None:
    redirect = says(REDIRECT % (status, b"/v2/chat"))
    key = {"Authorization": "Bearer sk-secret"}
    async with serving(redirect, says(GOOD)) as server, sending(key) as client:
        assert (await client.send(server.url, b"{}")).body == b"good"
    assert server.heads[1].startswith("POST /v2/chat ")
    assert server.bodies == [b"{}", b"{}"]
    assert all("Bearer sk-secret" in head for head in server.heads)


async def test_a_key_never_goes_to_another_host() -> None:
    key = {"Authorization": "Bearer sk-secret"}
    async with serving(says(GOOD)) as other:
        for target in (other.url, other.url.replace("127.0.0.1", "localhost")):
            redirect = says(REDIRECT % (307, target.encode()))
            async with serving(redirect) as server, sending(key) as client:
                with pytest.raises(HTTPStatusError, match="redirects to another host"):
                    await client.send(server.url, b"{}")
        assert not other.heads


async def test_redirects_without_end_are_not_followed() -> None:
    redirect = says(REDIRECT % (308, b"/v1/chat/completions"))
    async with serving(redirect) as server, sending() as client:
        with pytest.raises(HTTPStatusError, match="redirects more than 5 times"):
            await client.send(server.url, b"{}")


async def test_a_proxy_is_taken_from_the_environment_but_not_for_loopback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with serving(says(GOOD)) as proxy, serving(says(GOOD)) as server:
        monkeypatch.setenv("http_proxy", proxy.url.split("/v1")[0])
        async with sending() as client:
            assert (await client.send("http://models.example/v1/chat", b"{}")).body == b"good"
            await client.send(server.url, b"{}")
    assert proxy.heads[0].startswith("POST http://models.example/v1/chat HTTP/1.1")
    assert len(proxy.heads) == len(server.heads) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "prompt too long", "param": "messages"}}', "prompt too long"),
        (b'{"error": "prompt too long"}', "prompt too long"),
        (b'[{"error": {"message": "prompt too long"}}]', "prompt too long"),
        (b'{"detail": [{"loc": ["body", "n"], "msg": "too many"}]}', '"msg": "too many"'),
        (b"<h1>Bad\x00 gateway</h1>", "<h1>Bad gateway</h1>"),
        (b'{"message": "key sk-secret is wrong"}', r"key \[key\] is wrong"),
    ],
)
async def test_the_words_of_the_server_are_in_the_message(body: bytes, said: str) -> None:
    head = b"Content-Length: %d\r\n\r\n" % len(body)
    for status, kind in ((400, HTTPStatusError), (500, TransientError), (429, RateLimited)):
        async with (
            serving(says(b"HTTP/1.1 %d x\r\n%s%s" % (status, head, body))) as server,
            sending() as client,
        ):
            with pytest.raises(kind, match=said):
                await client.send(server.url, b"{}")


async def test_no_server_is_told() -> None:
    async with serving(says(GOOD)) as server:
        pass
    async with sending() as client:
        with pytest.raises(TransientError, match="no connection") as trouble:
            await client.send(server.url, b"{}")
        assert trouble.value.absent


async def test_a_certificate_must_be_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(self_signed(tmp_path / "server.pem"))
    async with serving(says(GOOD), tls=tls) as server:
        async with sending() as client:
            with pytest.raises(HTTPStatusError, match="no trusted connection"):
                await client.send(server.url, b"{}")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        async with sending() as client:
            for _ in range(3):
                assert (await client.send(server.url, b"{}")).body == b"good"
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
