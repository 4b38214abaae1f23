"""Model servers that are started for a run and stopped with it; calls are balanced over them."""

import asyncio
import logging
import secrets
import tempfile
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from synthmill.models.backends.openai import OpenAI
from synthmill.models.openai_api.settings import WireSettings
from synthmill.models.server_process import ServerProcess
from synthmill.schemas.recipe import ModelSpec

WATCH_SECONDS = 0.5
log = logging.getLogger("synthmill.servers")


class LocalServerSettings(WireSettings):
    """Settings of servers that are started here."""

    startup_seconds: float = Field(
        default=900.0, gt=0, description="longest wait until a server has loaded its model"
    )


@dataclass(frozen=True, slots=True)
class Launch:
    """How one server is started: its command without the address, and its environment."""

    command: Sequence[str]
    environment: Mapping[str, str]


class LocalServers(OpenAI):
    """Starts the servers of `launches`.

    A server that dies is not started again: the others go on, and when the last one is dead the
    run stops, resumable, with the end of the server's log. `label` names the kind in messages.
    """

    local: ClassVar[bool] = True
    label: ClassVar[str]

    def __init__(
        self,
        spec: ModelSpec,
        settings: LocalServerSettings,
        *,
        give_up_after_seconds: float = 300.0,
    ) -> None:
        super().__init__(spec, settings, give_up_after_seconds=give_up_after_seconds)
        self._startup_seconds = settings.startup_seconds
        self._servers: list[ServerProcess] = []
        self._watch: asyncio.Task[None] | None = None
        self._logs = tempfile.TemporaryDirectory(prefix=f"synthmill-{self.name}-")

    @abstractmethod
    def launches(self, key: str) -> Iterator[Launch]:
        """The servers to start; they refuse requests without `key`.

        Raises:
            InputError: the server's program or the model's file is not there.
        """

    async def open(self) -> None:
        """Start the servers and wait until all of them answer.

        Raises:
            InputError: see `launches`.
            ServerUnavailable: a server died or was too slow; with the end of its log.
        """
        # Others on this machine can reach the port as well: only we know the key.
        key = secrets.token_hex(16)
        launches = list(self.launches(key))
        for number, launch in enumerate(launches, 1):
            name = f"{self.label} server {number} of {len(launches)} ({self.spec.model})"
            log_file = Path(self._logs.name) / f"{number}.log"
            server = ServerProcess(name, launch.command, launch.environment, log_file)
            log.info("starting %s on port %d", server.name, server.port)
            server.start()
            self._servers.append(server)
        await asyncio.gather(*(server.healthy(self._startup_seconds) for server in self._servers))
        urls = [f"{server.address}/v1" for server in self._servers]
        self.connect(urls, {"Authorization": f"Bearer {key}"}, key)
        self._watch = asyncio.create_task(self._watch_servers())

    async def close(self) -> None:
        """End the servers."""
        if self._watch is not None:
            self._watch.cancel()
        await super().close()
        await asyncio.gather(*(server.stop() for server in self._servers))
        self._logs.cleanup()

    async def _watch_servers(self) -> None:
        """Mark endpoints dead whose servers died, so that no call waits for them."""
        alive = dict(zip(self._pool.endpoints, self._servers, strict=True))
        while alive:
            await asyncio.sleep(WATCH_SECONDS)
            for endpoint, server in list(alive.items()):
                if not server.alive:
                    del alive[endpoint]
                    report = f"{server.name} died\n{server.tail()}"
                    log.error("%s", report)
                    self._pool.mark_dead(endpoint, report)
