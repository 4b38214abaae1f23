"""What a retriever is: something that ranks the passages of a corpus for a query."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthmill.generators.base import Context

Scores = NDArray[np.float32]


class Hit(NamedTuple):
    """A passage found: its position in the corpus, and its similarity to the query."""

    position: int
    score: float


class Retriever(ABC):
    """Ranks by a similarity of at most 1 that means the same for any text, in the corpus or not."""

    @property
    @abstractmethod
    def label(self) -> str:
        """What gives the similarities (method, encoder, parameters): thresholds belong to it."""

    def for_task(self, context: Context) -> "Retriever":
        """The same retriever, whose model calls count as the task's."""
        return self

    @abstractmethod
    async def search(self, query: str, k: int) -> list[Hit]:
        """The `k` best passages with a similarity above 0, best first; ties in corpus order."""

    @abstractmethod
    async def similarity(self, query: str, texts: Sequence[str]) -> list[float]:
        """Similarity of the query to texts of any origin, on the scale of `search`."""


def best(scores: Scores, k: int) -> list[Hit]:
    """The positions of the `k` highest scores above 0, best first; ties in order of position."""
    k = min(k, len(scores))
    if k <= 0:
        return []
    floor = max(np.partition(scores, len(scores) - k)[len(scores) - k], np.finfo(np.float32).tiny)
    positions = np.flatnonzero(scores >= floor)
    order = np.lexsort((positions, -scores[positions]))[:k]
    return [Hit(int(p), float(scores[p])) for p in positions[order]]
