"""Model calls per second: `ModelClient` beside a bare aiohttp client, as one writes it.

    python -m benchmarks.model_calls [--calls 4000] [--concurrency 64] [--rounds 5]

Both talk to the same zero-work server, which is a process of its own, in turns and over as many
connections at once, and both turn an answer into its text. Ours also renders the prompt, keys it,
looks it up, commits the answer to the response cache, counts its
tokens, and paces the calls; it posts with aiohttp as well, and parses with a faster JSON library.
The garbage collector works as rarely as in a run, for both. The ratios are medians over the rounds;
the aim is 0.6 of the bare client. On a machine that does other work, compare processor times.
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from synthmill.generators.cotevol.prompts import Solve
from synthmill.models.registry import ModelRegistry
from synthmill.runtime.garbage import rare_collections
from synthmill.schemas.recipe import ModelSpec

MODEL = "zero-work"
TEXT = "Step 1: 7 * 8 = 56\nStep 2: 56 + 13 = 69\nThe answer is \\boxed{69}."


class ZeroWork(asyncio.Protocol):
    """Answers every request with the same completion, as soon as it is whole."""

    _ANSWER = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": TEXT},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 90, "completion_tokens": 45, "total_tokens": 135},
        }
    ).encode()
    _RESPONSE = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (len(_ANSWER), _ANSWER)
    )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._received = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer each whole request in what has arrived."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            self._transport.write(self._RESPONSE)


async def serve(port: "multiprocessing.Queue[int]") -> None:
    """Serve on a free port, which is told through the queue."""
    server = await asyncio.get_running_loop().create_server(ZeroWork, "127.0.0.1", 0)
    port.put(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def run_server(port: "multiprocessing.Queue[int]") -> None:
    """The server's process."""
    asyncio.run(serve(port))


@dataclass(frozen=True, slots=True)
class Pace:
    """Calls a second by the clock, and microseconds of this process's CPU for a call."""

    rate: float
    cpu: float


async def timed(calls: int, concurrency: int, call: Callable[[int], Awaitable[str]]) -> Pace:
    """The pace of `call(0)` to `call(calls - 1)`, `concurrency` at once."""
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            assert await call(number) == TEXT

    began, worked = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    rate = calls / (time.perf_counter() - began)
    return Pace(rate, (time.process_time() - worked) / calls * 1e6)


async def bare(url: str, calls: int, concurrency: int) -> Pace:
    """The pace of a client that only posts and reads."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call(number: int) -> str:
            body = {
                "model": MODEL,
                "messages": [{"role": "user", "content": f"Problem: {number} + 13 * 8?"}],
                "temperature": 0.6,
                "top_p": 0.95,
                "max_tokens": 1024,
                "seed": number,
            }
            async with session.post(f"{url}/chat/completions", json=body) as response:
                answer = await response.json()
                return str(answer["choices"][0]["message"]["content"])

        return await timed(calls, concurrency, call)


async def ours(url: str, calls: int, concurrency: int, cache: Path | None) -> Pace:
    """The pace of `ModelClient`."""
    spec = ModelSpec(backend="openai", model=MODEL, settings={"base_url": url})
    async with ModelRegistry({"default": spec}, cache=cache) as models:
        client = models.client()

        async def call(number: int) -> str:
            prompt = Solve(problem=f"{number} + 13 * 8?")
            reply = await client.generate(prompt, seed=number)
            return str(reply.unwrap())

        return await timed(calls, concurrency, call)


async def measure(url: str, calls: int, concurrency: int, rounds: int) -> dict[str, list[Pace]]:
    """Paces of every variant, in turns, after a round that does not count."""
    rates: dict[str, list[Pace]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds + 1):
            cache = Path(folder) / f"{turn}.sqlite"
            found = {
                "bare aiohttp client": await bare(url, calls, concurrency),
                "ModelClient, no cache": await ours(url, calls, concurrency, None),
                "ModelClient, cache": await ours(url, calls, concurrency, cache),
                "replay from the cache": await ours(url, calls, concurrency, cache),
            }
            for name, rate in found.items():
                if turn:
                    rates.setdefault(name, []).append(rate)
    return rates


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    port: multiprocessing.Queue[int] = spawn.Queue()
    server = spawn.Process(target=run_server, args=(port,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{port.get()}/v1"
    with rare_collections():  # as in a run
        rates = asyncio.run(measure(url, options.calls, options.concurrency, options.rounds))
    server.terminate()
    base = rates["bare aiohttp client"]
    print(f"{options.calls} calls, {options.concurrency} at once, {options.rounds} rounds")
    for name, found in rates.items():
        ratios = [pace.rate / other.rate for pace, other in zip(found, base, strict=True)]
        by_cpu = [other.cpu / pace.cpu for pace, other in zip(found, base, strict=True)]
        rate = statistics.median(pace.rate for pace in found)
        cpu = statistics.median(pace.cpu for pace in found)
        print(
            f"{name:22} {rate:7,.0f} calls/s {cpu:5.0f} us CPU/call   "
            f"{statistics.median(ratios):.2f} of bare ({min(ratios):.2f} to {max(ratios):.2f}), "
            f"{statistics.median(by_cpu):.2f} by processor time"
        )


if __name__ == "__main__":
    main()
