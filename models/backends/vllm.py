"""vLLM servers of our own: started for the run, ended with it, spoken to as any other."""

import asyncio
import logging
import secrets
import tempfile
from pathlib import Path
from typing import ClassVar

from synthmill.models.backends.base import BackendSettings
from synthmill.models.backends.openai import OpenAI
from synthmill.models.vllm_server import VllmServer
from synthmill.models.vllm_settings import VllmSettings
from synthmill.schemas.recipe import ModelSpec

WATCH_SECONDS = 0.5
log = logging.getLogger("synthmill.vllm")


class Vllm(OpenAI):
    """Starts `replicas` servers of the model, and balances calls over them.

    A replica that dies is not started again: the others go on, and when the last one is dead the
    run stops, resumable, with the end of the server's log.
    """

    name: ClassVar[str] = "vllm"
    Settings: ClassVar[type[BackendSettings]] = VllmSettings

    def __init__(self, spec: ModelSpec, settings: VllmSettings, *, patience: float = 300.0) -> None:
        super().__init__(spec, settings, patience=patience)
        self._vllm = settings
        self._servers: list[VllmServer] = []
        self._watch: asyncio.Task[None] | None = None
        self._logs = tempfile.TemporaryDirectory(prefix="synthmill-vllm-")

    async def open(self) -> None:
        """Start the servers and wait until all of them answer.

        Raises:
            Unavailable: a server died or was too slow; with the end of its log.
        """
        # Others on this machine can reach the port as well: only we know the key.
        key = secrets.token_hex(16)
        for replica in range(self._vllm.replicas):
            name = f"vLLM server {replica + 1} of {self._vllm.replicas} ({self.spec.model})"
            variables = {**self._vllm.variables(replica), "VLLM_API_KEY": key}
            log_file = Path(self._logs.name) / f"{replica + 1}.log"
            server = VllmServer(name, self._vllm.command(self.spec.model), variables, log_file)
            self._start(server)
        await asyncio.gather(*(s.healthy(self._vllm.startup_seconds) for s in self._servers))
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

    def _start(self, server: VllmServer) -> None:
        log.info("starting %s on port %d", server.name, server.port)
        server.start()
        self._servers.append(server)

    async def _watch_servers(self) -> None:
        """Tell the balancer of servers that died, so that nobody waits for them."""
        alive = dict(zip(self._balancer.endpoints, self._servers, strict=True))
        while alive:
            await asyncio.sleep(WATCH_SECONDS)
            for endpoint, server in list(alive.items()):
                if not server.alive:
                    del alive[endpoint]
                    report = f"{server.name} died\n{server.tail()}"
                    log.error("%s", report)
                    self._balancer.bury(endpoint, report)
