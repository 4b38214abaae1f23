"""The running batch: sequences join and leave between any two tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from synthmill.models.embedded.jobs import FinishReason, Generation, Job, WrittenToken
from synthmill.models.embedded.network import LANES, Floats, Network
from synthmill.models.embedded.prompt_cache import PromptCache
from synthmill.models.embedded.sampling import choose, log_softmax, uniforms
from synthmill.models.embedded.vocabulary import Vocabulary, as_text

Ticket = TypeVar("Ticket")


@dataclass
class Writing(Generic[Ticket]):
    """One job under way; `ticket` is the caller's mark to know it by."""

    ticket: Ticket
    job: Job
    prompt: list[int]
    limit: int
    uniforms: Floats
    tokens: list[WrittenToken] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    finish_reason: FinishReason | None = None

    def add(self, piece: bytes, token: WrittenToken, is_end: bool) -> None:
        """Takes the next token in, and notes whether the text ends here."""
        self.tokens.append(token)
        fresh = len(self.raw)
        self.raw += piece
        for stop in map(str.encode, self.job.stop):
            at = self.raw.find(stop, max(0, fresh - len(stop) + 1))
            if at >= 0:
                del self.raw[at:]
                is_end = True
        if is_end:
            self.finish_reason = "stop"
        elif len(self.tokens) == self.limit:
            self.finish_reason = "length"

    def generation(self) -> Generation:
        """The result of a finished writing."""
        assert self.finish_reason
        return Generation(
            as_text(self.raw), tuple(self.tokens), self.finish_reason, len(self.prompt)
        )


class RunningBatch(Generic[Ticket]):
    """Sequences being generated together, at most `size` at a time.

    Row i of every array belongs to member i. Rows in use come first, so that a step hands the
    network contiguous memory; the last row moves into the place of one that leaves.
    """

    def __init__(self, network: Network, vocabulary: Vocabulary, size: int) -> None:
        """An empty batch."""
        self._network, self._vocabulary, self._size = network, vocabulary, size
        self._prompts = PromptCache(network)
        self._members: list[Writing[Ticket]] = []
        self._lengths = np.zeros(size, np.int64)
        self._logits = np.zeros((size, network.vocabulary))
        self._cache, self._capacity = network.empty_cache(size, 0), 0

    @property
    def busy(self) -> bool:
        """Whether any sequence is under way."""
        return bool(self._members)

    @property
    def room(self) -> int:
        """How many sequences may still join."""
        return self._size - len(self._members)

    def prepare(self, ticket: Ticket, job: Job) -> Writing[Ticket]:
        """A job made ready to join. Raises ValueError when the prompt fills the whole context."""
        prompt = self._vocabulary.prompt(job)
        limit = min(job.max_tokens, self._network.context - len(prompt))
        if limit < 1:
            raise ValueError(
                f"the prompt has {len(prompt)} tokens; "
                f"the model's context holds {self._network.context}"
            )
        return Writing(ticket, job, prompt, limit, uniforms(prompt, job.seed, limit))

    def join(self, writings: Sequence[Writing[Ticket]]) -> None:
        """Adds at most `room` prepared jobs; equal prompts are computed once."""
        groups: dict[tuple[int, ...], list[Writing[Ticket]]] = {}
        for writing in writings:
            groups.setdefault(tuple(writing.prompt), []).append(writing)
        if groups:
            self._fit(max(map(len, groups)))
        for prefilled in self._prompts.prefill(list(groups)):
            length = len(prefilled.prompt)
            start = len(self._members)
            self._members += groups[prefilled.prompt]
            rows = slice(start, len(self._members))
            self._lengths[rows] = length
            self._logits[rows] = prefilled.logits
            for cache, (keys, values) in zip(self._cache, prefilled.layers, strict=True):
                cache[0][rows, :, :, :length] = keys
                cache[1][rows, :, :length] = values

    def step(self) -> list[tuple[Ticket, Generation]]:
        """One more token for every sequence; returns those that ended with it."""
        chosen = self._sample()
        ended = []
        for row in reversed(range(len(self._members))):
            member = self._members[row]
            if member.finish_reason:
                ended.append((member.ticket, member.generation()))
                self._remove(row, chosen)
        if self._members:
            self._advance(chosen[: len(self._members)])
        return ended

    def clear(self) -> list[Ticket]:
        """Drops all members, for a caller whose step failed; returns their tickets."""
        tickets = [member.ticket for member in self._members]
        self._members.clear()
        return tickets

    def _sample(self) -> np.ndarray:
        """The next token id of every member, taken in by each."""
        members, vocabulary = self._members, self._vocabulary
        logprobs = log_softmax(self._logits[: len(members)])
        ranked = np.argsort(-logprobs, axis=-1, kind="stable")
        chosen = choose(
            logprobs,
            ranked,
            np.array([m.job.temperature for m in members]),
            np.array([m.job.top_p for m in members]),
            np.array([m.uniforms[len(m.tokens)] for m in members]),
        )
        for row, (member, token) in enumerate(zip(members, chosen.tolist(), strict=True)):
            best = ranked[row, : member.job.top_logprobs]
            top = zip(
                (vocabulary.texts[i] for i in best), logprobs[row, best].tolist(), strict=True
            )
            report = WrittenToken(vocabulary.texts[token], float(logprobs[row, token]), tuple(top))
            member.add(vocabulary.pieces[token], report, token == vocabulary.end)
        return chosen

    def _advance(self, tokens: np.ndarray) -> None:
        """Runs the network on one new token a member."""
        count = len(tokens)
        lengths = self._lengths[:count]
        self._fit(int(lengths.max()) + 1)
        output = self._network.run(
            tokens[:, None],
            lengths[:, None],
            np.arange(self._capacity) < lengths[:, None],
            [(keys[:count], values[:count]) for keys, values in self._cache],
        )
        rows = np.arange(count)
        for (keys, values), (new_keys, new_values) in zip(self._cache, output.layers, strict=True):
            keys[rows, :, :, lengths] = new_keys[..., 0]
            values[rows, :, lengths] = new_values[:, :, 0]
        self._logits[:count] = output.logits[:, 0]
        lengths += 1

    def _remove(self, row: int, chosen: np.ndarray) -> None:
        last = len(self._members) - 1
        moved = self._members.pop()
        if row != last:
            self._members[row] = moved
            for array in (
                self._lengths,
                self._logits,
                chosen,
                *(part for layer in self._cache for part in layer),
            ):
                array[row] = array[last]

    def _fit(self, longest: int) -> None:
        """Gives the cache the least capacity that holds `longest` tokens and all members.

        With the new token of a step it makes whole lanes.
        """
        count = len(self._members)
        longest = max([longest, *self._lengths[:count]])
        capacity = -(-(longest + 1) // LANES) * LANES - 1
        if capacity == self._capacity:
            return
        shared = min(capacity, self._capacity)
        fresh = self._network.empty_cache(self._size, capacity)
        for (keys, values), (old_keys, old_values) in zip(fresh, self._cache, strict=True):
            keys[:count, :, :, :shared] = old_keys[:count, :, :, :shared]
            values[:count, :, :shared] = old_values[:count, :, :shared]
        self._cache, self._capacity = fresh, capacity
