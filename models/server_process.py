"""A model server as a child process: started, waited for, watched, stopped."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from synthmill.models.errors import ServerUnavailable

TAIL_LINES, TAIL_CHARS = 20, 4000
PROGRESS_SECONDS = 10.0
STOP_SECONDS = 20.0
log = logging.getLogger("synthmill.servers")


class ServerProcess:
    """A server on a free port of loopback, in a process group of its own, logging to `log_file`."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log_file: Path
    ) -> None:
        self.name = name
        self.port = _free_port()
        self._command = [*command, "--host", "127.0.0.1", "--port", str(self.port)]
        self._environment = dict(environment)
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process, guarded: it ends when this one does."""
        # -P: this folder must not hide modules of the standard library from the guard.
        guard = [sys.executable, "-P", str(Path(__file__).with_name("process_guard.py"))]
        with self._log_file.open("wb") as output:
            self._process = subprocess.Popen(
                [*guard, *self._command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    async def healthy(self, seconds: float) -> None:
        """Wait until it answers.

        Raises:
            ServerUnavailable: it ended, or was not ready within `seconds`; with the end of its log.
        """
        began = said = time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while not await _answers(session, f"{self.address}/health"):
                now = time.monotonic()
                if not self.alive:
                    raise ServerUnavailable(f"{self.name} ended while it started\n{self.tail()}")
                if now - began > seconds:
                    late = f"{self.name} was not ready within {seconds:g} s"
                    raise ServerUnavailable(f"{late}\n{self.tail()}")
                if now - said > PROGRESS_SECONDS:
                    log.info("%s is starting: %.0f s", self.name, now - began)
                    said = now
                await asyncio.sleep(0.2)
        log.info("%s is ready after %.0f s", self.name, time.monotonic() - began)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    async def stop(self) -> None:
        """Stop it with all its children: by SIGTERM, then by SIGKILL."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()  # the guard takes this as the order to end
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            await asyncio.to_thread(process.wait)

    def tail(self) -> str:
        """The end of its log."""
        text = self._log_file.read_bytes()[-4 * TAIL_CHARS :].decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-TAIL_LINES:])[-TAIL_CHARS:]


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
