"""Constrained navigation: what a retrieval returns (paper, eq. 8).

At step t, the first case that holds:
1. t = 1                              R(K, k - n) with R(K~, n)
2. step t - 1 returned distractors    R(K, k)
3. with probability p_e               R(K, k - n) with R(K~, n)
4. otherwise                          R(K, k)

n = 2 and p_e = 0.5 in the paper; R keeps the threshold tau, so that fewer than n may come. A step
is one retrieval. K~ is the pool of one question's own distractors: a pool that grows with other
tasks would make rows depend on the order in which tasks end, and tau keeps strangers out of it
anyway. Where the distractors stand among the documents is drawn, and recorded; the teacher is told
nothing.
"""

from collections.abc import Sequence
from random import Random

from synthmill.generators.ragshaper.library import Library
from synthmill.generators.ragshaper.records import Case, Distractor, Injection
from synthmill.generators.ragshaper.settings import NavigationSettings
from synthmill.sources.documents.prompt_documents import PromptDocument


class ConstrainedRetriever:
    """The retriever of one rollout; every random choice comes from its own generator."""

    def __init__(
        self,
        library: Library,
        pool: Sequence[Distractor],
        k: int,
        settings: NavigationSettings,
        rng: Random,
    ) -> None:
        self._library = library
        self._pool = pool
        self._k = k
        self._settings = settings
        self._rng = rng
        self.log: list[Injection] = []

    async def search(self, query: str, top_k: int | None) -> tuple[list[PromptDocument], Injection]:
        """The documents of the next step, and the record of it.

        A model may ask for fewer than k documents, or more, but the rule needs room for the
        injected ones and one other, so k is at least n + 1 and never above the configured one.
        """
        k = min(self._k, max(top_k or self._k, self._settings.injected + 1))
        case, draw = self._case()
        injected = await self._nearest(query) if case in ("first", "drawn") else []
        room = k - self._settings.injected if case in ("first", "drawn") else k
        found = [f.passage for f in await self._library.search(query, room)]
        total = len(found) + len(injected)
        positions = sorted(self._rng.sample(range(total), len(injected)))
        truth, lies = iter(found), iter(injected)
        shown = [next(lies) if place in positions else next(truth) for place in range(total)]
        record = Injection(
            step=len(self.log) + 1,
            query=query,
            case=case,
            draw=draw,
            passages=[p.id for p in found],
            injected=[d.id for d in injected],
            positions=positions,
        )
        self.log.append(record)
        return [PromptDocument(d.title, d.text) for d in shown], record

    def _case(self) -> tuple[Case, float | None]:
        if not self.log:
            return "first", None
        if self.log[-1].injected:
            return "suppressed", None
        draw = self._rng.random()
        return ("drawn" if draw < self._settings.probability else "not drawn"), draw

    async def _nearest(self, query: str) -> list[Distractor]:
        """R(K~, n): the distractors most similar to the query, above tau; ties in pool order."""
        documents = [(d.title, d.text) for d in self._pool]
        scores = await self._library.similarities(query, documents)
        ranked = sorted(zip(scores, self._pool, strict=True), key=lambda pair: -pair[0])
        above = [d for score, d in ranked if score > self._library.tau]
        return above[: self._settings.injected]
