"""The shipped language model: batched, seeded generation without torch.

    model = LanguageModel()
    [generation] = model.generate([Job("What is 7 * 8 + 13?", temperature=0)])

The same job gives the same text whatever else is in the batch (see `docs/embedded-model.md`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from synthmill.models.embedded.batch import RunningBatch
from synthmill.models.embedded.jobs import Generation, Job, WrittenToken
from synthmill.models.embedded.network import Network
from synthmill.models.embedded.sampling import log_softmax
from synthmill.models.embedded.vocabulary import Vocabulary

WEIGHTS = Path(__file__).parent / "weights"


class LanguageModel:
    """A loaded model. Not for several threads at once: see `BatchedLanguageModel`."""

    def __init__(
        self, folder: Path = WEIGHTS, batch_size: int = 32, threads: int | None = None
    ) -> None:
        """Loads the model in `folder`; at most `batch_size` sequences run together."""
        self._network = Network(folder, threads)
        self._vocabulary = Vocabulary(folder)
        self._batch_size = batch_size

    def generate(self, jobs: Sequence[Job]) -> list[Generation]:
        """One generation a job, in the order of the jobs.

        Raises ValueError when a prompt fills the context, before anything is generated.
        """
        batch: RunningBatch[int] = self.new_batch()
        waiting = deque([batch.prepare(index, job) for index, job in enumerate(jobs)])
        done: dict[int, Generation] = {}
        while waiting or batch.busy:
            batch.join([waiting.popleft() for _ in range(min(batch.room, len(waiting)))])
            done.update(batch.step())
        return [done[index] for index in range(len(jobs))]

    def score(self, prompt: str, text: str, top_logprobs: int = 0) -> list[WrittenToken]:
        """The tokens of a given answer `text` with their log-probabilities, as if generated.

        Raises ValueError when prompt and text exceed the context.
        """
        start = self._vocabulary.prompt(Job(prompt))
        row = self._vocabulary.prompt(Job(prompt, prefix=text))
        if len(row) > self._network.context:
            raise ValueError(
                f"prompt and text have {len(row)} tokens; "
                f"the model's context holds {self._network.context}"
            )
        logprobs = log_softmax(self._network.prefill([row]).logits[0])
        names, tokens = self._vocabulary.texts, []
        for place in range(len(start), len(row)):
            here = logprobs[place - 1]
            best = np.argsort(-here, kind="stable")[:top_logprobs]
            top = tuple((names[i], float(here[i])) for i in best)
            tokens.append(WrittenToken(names[row[place]], float(here[row[place]]), top))
        return tokens

    def count_tokens(self, text: str) -> int:
        """How many tokens `text` is, without any layout around it."""
        return len(self._vocabulary.encode(text))

    def new_batch(self) -> RunningBatch:
        """An empty running batch, for callers that let jobs join while others run."""
        return RunningBatch(self._network, self._vocabulary, self._batch_size)
