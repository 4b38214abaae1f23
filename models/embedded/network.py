"""The model's forward pass in onnxruntime: tokens in, logits and the new cache entries out."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from safetensors.numpy import load_file

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Layers = list[tuple[Floats, Floats]]

# Finite, so that a fully masked row (padding) stays free of NaN.
HIDDEN = -1e30
# Attention runs over whole vectors of the processor only: the rest of a sum is added in another
# order, which would let the length of one sequence reach the last bits of another.
LANES = 32
# Fewer tokens than this are not worth a thread of their own.
LEAST_TOKENS = 4


@dataclass(frozen=True)
class Output:
    """`logits` (B, T, vocabulary) and per layer the keys (B, heads, D, T), values (B, heads, T, D)
    of the T new tokens."""

    logits: Floats
    layers: Layers


class Network:
    """A loaded model. Weights are stored as float32 and computed with as float64, because float32
    sums differ in their last bits with the shape of the batch, which can flip a sampled token."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        """Loads `config.json`, `model.safetensors` and `graph.onnx` from `folder`.

        `threads`: processor cores to use (default: all that this process may use, at most 4).
        """
        config = json.loads((folder / "config.json").read_text())
        self.context: int = config["max_position_embeddings"]
        self.vocabulary: int = config["vocab_size"]
        self.key_heads: int = config["num_key_value_heads"]
        self.head: int = config["head_dim"]
        self.layers: int = config["num_hidden_layers"]
        theta = config["rope_parameters"]["rope_theta"]
        options = onnxruntime.SessionOptions()
        # The products are too small to be worth cutting up: the cores share the rows instead.
        options.intra_op_num_threads = 1
        self._threads = threads or min(4, len(os.sched_getaffinity(0)))
        self._pool = ThreadPoolExecutor(self._threads, "embedded-network")
        options.log_severity_level = 3
        # The session reads these arrays in place: they must live as long as it does.
        self._weights = _weights(folder / "model.safetensors", self.context, self.head, theta)
        options.add_external_initializers(
            list(self._weights),
            [onnxruntime.OrtValue.ortvalue_from_numpy(w) for w in self._weights.values()],
        )
        self._session = onnxruntime.InferenceSession(
            (folder / "graph.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
        )

    def run(
        self, tokens: Integers, positions: Integers, visible: NDArray[np.bool_], cache: Layers
    ) -> Output:
        """One pass over `tokens` (B, T) at `positions` (B, T), after `cache` with P entries each.

        `visible` (B, P): which cache entries a sequence may see; new tokens see each other
        causally. All arrays of the cache must be contiguous, or they are copied.
        """
        count, new = tokens.shape
        mask = np.zeros((count, 1, 1, new, new + visible.shape[1]))
        mask[..., :new] = np.triu(np.full((new, new), HIDDEN), 1)
        mask[..., new:] = np.where(visible, 0.0, HIDDEN)[:, None, None, None]
        feeds = {"tokens": tokens, "positions": positions, "mask": mask}
        for index, (keys, values) in enumerate(cache):
            feeds |= {f"keys.{index}": keys, f"values.{index}": values}
        logits, *entries = self._outputs(feeds)
        return Output(logits, list(zip(entries[::2], entries[1::2], strict=True)))

    def _outputs(self, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """The graph's outputs; every thread computes a portion of the rows."""
        rows, new = feeds["tokens"].shape
        portions = min(self._threads, rows, max(1, rows * new // LEAST_TOKENS))
        edges = [rows * portion // portions for portion in range(portions + 1)]

        def compute(first: int, last: int) -> list[np.ndarray]:
            return self._session.run(None, {name: feeds[name][first:last] for name in feeds})

        if portions == 1:
            return compute(0, rows)
        results = self._pool.map(compute, edges, edges[1:])
        return [np.concatenate(parts) for parts in zip(*results, strict=True)]

    def prefill(self, rows: Sequence[Sequence[int]]) -> Output:
        """One pass over whole texts (lists of token ids), right-padded to the longest."""
        width = -(-max(map(len, rows)) // LANES) * LANES
        tokens = np.zeros((len(rows), width), np.int64)
        for index, row in enumerate(rows):
            tokens[index, : len(row)] = row
        positions = np.broadcast_to(np.arange(width), tokens.shape)
        return self.run(
            tokens,
            np.ascontiguousarray(positions),
            np.zeros((len(rows), 0), bool),
            self.empty_cache(len(rows), 0),
        )

    def empty_cache(self, rows: int, length: int) -> Layers:
        """A zeroed cache for `rows` sequences of up to `length` tokens."""
        return [
            (
                np.zeros((rows, self.key_heads, self.head, length)),
                np.zeros((rows, self.key_heads, length, self.head)),
            )
            for _ in range(self.layers)
        ]


def _weights(path: Path, context: int, head: int, theta: float) -> dict[str, Floats]:
    weights = {}
    for name, weight in load_file(path).items():
        # The checkpoint stores (outputs, inputs); the graph multiplies by (inputs, outputs).
        turned = weight.T if name.endswith("_proj.weight") else weight
        weights[name] = np.ascontiguousarray(turned, np.float64)
    frequencies = theta ** (-np.arange(0, head, 2) / head)
    angles = np.outer(np.arange(context), frequencies)
    return weights | {"rotary.cos": np.cos(angles), "rotary.sin": np.sin(angles)}
