"""A model server on loopback whose answers are wrong in as many ways as HTTP and JSON allow.

The path of a request names its case, which decides the answer; below `/good/` it answers well.
"""

import asyncio
import gzip
import json
import threading
from random import Random
from types import TracebackType
from typing import Any, Self

from benchmarks.fuzz.mutations import TEXTS, mutated, mutated_bytes, value

STATUSES = (
    200, 201, 204, 206, 301, 302, 307, 400, 401, 403, 404, 413, 418, 422, 429, 500, 502, 503, 999,
    0,
)  # fmt: skip
ELSEWHERE = "http://127.0.0.2:9/v1/chat/completions"
HEADERS = (
    "Content-Length: -1", "Content-Length: 99999999999", "Content-Length: 3", "Content-Length: x",
    "Transfer-Encoding: chunked", "Content-Encoding: gzip", "Content-Encoding: br",
    "Content-Type: text/html",
    "Content-Type: application/json; charset=utf-7", "Retry-After: 1e9", "Retry-After: -1",
    "Retry-After: x",
    "Set-Cookie: a=b; Domain=.example", "X: " + "x" * 20_000, "Connection: upgrade", ": x",
    "no colon", "\x00: y",
    "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT", f"Location: {ELSEWHERE}",
    "Location: file:///etc/passwd",
)  # fmt: skip


class HostileServer:
    """See the module's docstring; a context manager that serves while it is open."""

    def __init__(self) -> None:
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._asked: dict[str, int] = {}

    @property
    def url(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        started = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24)
        self._server = asyncio.run_coroutine_threadsafe(self._wait(started), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    @staticmethod
    async def _wait(started: Any) -> asyncio.Server:
        server: asyncio.Server = await started
        return server

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [
                    ln for ln in head.split(b"\r\n") if ln.lower().startswith(b"content-length")
                ]
                body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
                path = head.split(b" ", 2)[1].decode("latin-1")
                writer.write(self._answer(path, body))
                await writer.drain()
                if not path.startswith("/good/"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str, body: bytes) -> bytes:
        if path.endswith("/models"):
            answer: Any = {"data": [{"id": "scripted"}]}
        else:
            asked = json.loads(body or b"{}")
            answer = _completion(asked)
        case = path.split("/")[1]
        if case == "good":
            return _response(200, json.dumps(answer).encode())
        number = self._asked[case] = self._asked.get(case, 0) + 1
        rng = Random(f"{case}/{number}")
        if rng.random() < 0.25:
            return _response(200, json.dumps(answer).encode())
        match rng.randrange(6):
            case 0 | 1:
                for _ in range(rng.choice((1, 2, 4))):
                    answer = mutated(answer, rng)
                return _response(200, json.dumps(answer).encode())
            case 2:
                return _response(200, mutated_bytes(json.dumps(answer).encode(), rng))
            case 3:
                status = rng.choice(STATUSES)
                said = json.dumps({"error": {"message": value(rng)}}).encode()
                return _response(status, said, rng.sample(HEADERS, rng.randrange(3)))
            case 4:
                data = json.dumps(answer).encode()
                extra = rng.sample(HEADERS, rng.choice((1, 2, 3)))
                if "Content-Encoding: gzip" in extra and rng.random() < 0.5:
                    data = gzip.compress(b" " * 50_000_000 + data)
                return _response(200, data, extra)
        text = rng.choice((*TEXTS, "x" * 2_000_000, "\\boxed{" * 5000, "Step 1: " * 9000))
        if "choices" in answer:
            answer["choices"][0]["message"]["content"] = text
        return mutated_bytes(_response(200, json.dumps(answer).encode()), rng)


def _completion(asked: Any) -> dict[str, Any]:
    content = "Step 1: 1 + 1 = 2. \\boxed{2}"
    if isinstance(asked, dict) and asked.get("response_format"):
        content = '{"color": "blue", "score": 5, "text": "x"}'
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": content},
            "finish_reason": "stop",
        }
        for index in range(min(int(asked.get("n", 1)), 16) if isinstance(asked, dict) else 1)
    ]
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    return {"id": "x", "object": "chat.completion", "choices": choices, "usage": usage}


def _response(status: int, body: bytes, headers: list[str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} x", *(headers or [])]
    if not any(line.startswith("Content-Length") for line in lines):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body
