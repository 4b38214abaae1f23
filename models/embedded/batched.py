"""Many independent callers, one model: asyncio on the outside, one worker thread inside."""

from __future__ import annotations

import asyncio
import heapq
import queue
import threading
from concurrent.futures import Future
from itertools import count
from typing import Any

from synthmill.models.embedded.batch import RunningBatch, Writing
from synthmill.models.embedded.jobs import Generation, Job
from synthmill.models.embedded.language_model import LanguageModel

Reply = Future[Generation]
Waiting = tuple[int, int, Writing[Reply]]  # by priority and arrival


class BatchedLanguageModel:
    """Joins concurrent requests into one running batch.

    A request joins between two tokens of the others and leaves when it is done; what it returns
    does not depend on them. Of the requests that wait for room, those of the lowest priority join
    first. Usable from several event loops.
    """

    def __init__(self, model: LanguageModel) -> None:
        """Starts the worker; `model` must not be used elsewhere until `close`."""
        self._batch: RunningBatch[Reply] = model.new_batch()
        self._inbox: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._numbers = count()
        self._closed = False
        self._worker = threading.Thread(target=self._work, name="embedded-model", daemon=True)
        self._worker.start()

    async def generate(self, job: Job, priority: int = 0) -> Generation:
        """The generation for one job. Raises ValueError for a prompt that fills the context."""
        if self._closed:
            raise RuntimeError("the embedded model is closed")
        reply: Reply = Future()
        self._inbox.put((priority, next(self._numbers), self._batch.prepare(reply, job)))
        return await asyncio.wrap_future(reply)

    def close(self) -> None:
        """Ends the worker after what has been asked for; waits for it."""
        if not self._closed:
            self._closed = True
            self._inbox.put(None)
            self._worker.join()

    def __enter__(self) -> BatchedLanguageModel:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _work(self) -> None:
        open_ = True
        waiting: list[Waiting] = []
        while open_ or waiting or self._batch.busy:
            idle = open_ and not waiting and not self._batch.busy
            for arrived in self._arrivals(wait=idle):
                if arrived is None:
                    open_ = False
                else:
                    heapq.heappush(waiting, arrived)
            joining: list[Writing[Reply]] = []
            while waiting and len(joining) < self._batch.room:
                _, _, writing = heapq.heappop(waiting)
                # A caller that has gone away is not served; one being served can no longer cancel.
                if writing.ticket.set_running_or_notify_cancel():
                    joining.append(writing)
            self._serve(joining)

    def _arrivals(self, wait: bool) -> list[Waiting | None]:
        """All that has arrived; with `wait`, at least one."""
        arrived = [self._inbox.get()] if wait else []
        while True:
            try:
                arrived.append(self._inbox.get_nowait())
            except queue.Empty:
                return arrived

    def _serve(self, joining: list[Writing[Reply]]) -> None:
        try:
            self._batch.join(joining)
            if self._batch.busy:
                for reply, generation in self._batch.step():
                    reply.set_result(generation)
        except Exception as error:  # a failed pass fails its callers, never hangs them
            for reply in {*self._batch.clear(), *(w.ticket for w in joining)}:
                reply.set_exception(error)
