"""An embeddings endpoint on loopback: word hashes as vectors, and faults on demand."""

import asyncio
import threading
import zlib
from collections import Counter
from types import TracebackType
from typing import Any, Self

from aiohttp import web

DIMENSIONS = 256


def vector(text: str) -> list[float]:
    """A bag of words, hashed."""
    found = [0.0] * DIMENSIONS
    for word in text.lower().split():
        found[zlib.crc32(word.strip(".,?[]").encode()) % DIMENSIONS] += 1.0
    return found


class Embeddings:
    """Serves `/v1/embeddings`; `faults` are the statuses (or texts) that the next calls meet."""

    def __init__(self, faults: list[int | str] | None = None) -> None:
        self.faults = list(faults or [])
        self.texts: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/embeddings", self._embed)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _embed(self, request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, str):
                return web.Response(text=fault, content_type="application/json")
            return web.json_response({}, status=fault, headers={"Retry-After": "0.01"})
        self.texts.update(body["input"])
        rows = [{"index": i, "embedding": vector(text)} for i, text in enumerate(body["input"])]
        return web.json_response({"data": rows[::-1]})
