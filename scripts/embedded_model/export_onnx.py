"""Writes the model's computation as an ONNX graph without weights.

    python -m scripts.embedded_model.export_onnx models/embedded/weights

The graph names its weights as the checkpoint does and declares them external, so that they exist
once, in `model.safetensors`; `LanguageModel` hands them over when it loads the graph. Everything is
computed in float64. Needs the `onnx` package (`train` extra), only to write the file.

Inputs (B sequences, T new tokens each, P cached ones, D the size of a head):
    tokens, positions   int64 (B, T)
    mask                float64 (B, 1, 1, T, T + P), 0 where a token may look, else very negative
    keys.N              float64 (B, key heads, D, P), one per layer
    values.N            float64 (B, key heads, P, D), one per layer
Outputs: logits float64 (B, T, vocabulary); new_keys.N, new_values.N: the same layouts for T tokens.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

GRAPH_FILE = "graph.onnx"
OPSET = 18
Shape = list[int | str]


def main() -> None:
    """Parses the command line and writes `graph.onnx` beside the checkpoint's `config.json`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    model = build(json.loads((folder / "config.json").read_text()))
    (folder / GRAPH_FILE).write_bytes(model.SerializeToString(deterministic=True))


@dataclass
class Graph:
    """A growing list of nodes; every call adds one node and returns the name of its output."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """One node with a single output."""
        name = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def split(self, source: str, sizes: str, count: int) -> list[str]:
        """`source` cut along its last axis into `count` parts."""
        names = [f"Split_{len(self.nodes)}_{part}" for part in range(count)]
        self.nodes.append(helper.make_node("Split", [source, sizes], names, axis=-1))
        return names

    def weight(self, name: str, *shape: int) -> str:
        """A weight that is handed over at load time: declared, not stored."""
        tensor = TensorProto(
            name=name, data_type=TensorProto.DOUBLE, dims=shape, data_location=TensorProto.EXTERNAL
        )
        tensor.external_data.add(key="location", value="model.safetensors")
        self.weights.append(tensor)
        return name

    def number(self, value: float) -> str:
        """A float64 scalar."""
        return self._constant(TensorProto.DOUBLE, [], [value])

    def shape(self, *sizes: int) -> str:
        """An int64 vector."""
        return self._constant(TensorProto.INT64, [len(sizes)], list(sizes))

    def _constant(self, kind: int, dims: list[int], values: list[Any]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(helper.make_tensor(name, kind, dims, values))
        return name


@dataclass(frozen=True)
class Sizes:
    """The sizes of a Llama model, from its `config.json`."""

    vocabulary: int
    context: int
    hidden: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    head: int
    epsilon: float

    @classmethod
    def of(cls, config: dict[str, Any]) -> Sizes:
        """Reads the sizes. Raises KeyError where the configuration is not a Llama's."""
        return cls(
            config["vocab_size"],
            config["max_position_embeddings"],
            config["hidden_size"],
            config["intermediate_size"],
            config["num_hidden_layers"],
            config["num_attention_heads"],
            config["num_key_value_heads"],
            config["head_dim"],
            config["rms_norm_eps"],
        )


def build(config: dict[str, Any]) -> onnx.ModelProto:
    """The whole model for a Llama `config` with tied embeddings."""
    sizes, graph = Sizes.of(config), Graph()
    embedding = graph.weight("model.embed_tokens.weight", sizes.vocabulary, sizes.hidden)
    tables = [
        graph.add(
            "Unsqueeze",
            graph.add(
                "Gather",
                graph.weight(f"rotary.{name}", sizes.context, sizes.head // 2),
                "positions",
            ),
            graph.shape(2),
        )
        for name in ("cos", "sin")
    ]
    state = graph.add("Gather", embedding, "tokens")
    for layer in range(sizes.layers):
        state = graph.add("Add", state, attention(graph, sizes, layer, state, tables))
        state = graph.add("Add", state, feed_forward(graph, sizes, layer, state))
    state = normalise(graph, sizes, state, "model.norm")
    graph.add("MatMul", state, graph.add("Transpose", embedding, perm=[1, 0]), output="logits")
    return _model(graph, sizes)


def attention(graph: Graph, sizes: Sizes, layer: int, state: str, tables: list[str]) -> str:
    """Grouped-query attention of the new tokens over the cached and the new ones."""
    name, groups = f"model.layers.{layer}.self_attn", sizes.heads // sizes.key_heads
    state = normalise(graph, sizes, state, f"model.layers.{layer}.input_layernorm")

    def project(part: str, heads: int) -> str:
        flat = linear(graph, state, f"{name}.{part}_proj", sizes.hidden, heads * sizes.head)
        return graph.add("Reshape", flat, graph.shape(0, 0, heads, sizes.head))

    queries = rotate(graph, sizes, project("q", sizes.heads), tables)
    queries = graph.add("Transpose", queries, perm=[0, 2, 1, 3])
    queries = graph.add("Mul", queries, graph.number(sizes.head**-0.5))
    # The query heads that share a key head are rows of one product: (B, key heads, groups * T, D).
    queries = graph.add("Reshape", queries, graph.shape(0, sizes.key_heads, -1, sizes.head))
    keys = graph.add(
        "Transpose",
        rotate(graph, sizes, project("k", sizes.key_heads), tables),
        perm=[0, 2, 3, 1],
        output=f"new_keys.{layer}",
    )
    values = graph.add(
        "Transpose", project("v", sizes.key_heads), perm=[0, 2, 1, 3], output=f"new_values.{layer}"
    )
    # Cached and new tokens are multiplied apart, so that the cache is never copied. New ones come
    # first, so that spare room at the end of the cache moves no number to another place in a sum.
    old = graph.add("MatMul", queries, f"keys.{layer}")
    new = graph.add("MatMul", queries, keys)
    scores = graph.add("Concat", new, old, axis=-1)
    apart = graph.add(
        "Concat",
        graph.add("Shape", keys, start=0, end=2),
        graph.shape(groups),
        graph.add("Shape", "mask", start=3, end=5),
        axis=0,
    )
    together = graph.add("Shape", scores)
    scores = graph.add("Add", graph.add("Reshape", scores, apart), "mask")
    shares = graph.add("Reshape", graph.add("Softmax", scores, axis=-1), together)
    lengths = graph.add(
        "Concat", *(graph.add("Shape", part, start=3, end=4) for part in (new, old)), axis=0
    )
    new, old = graph.split(shares, lengths, 2)
    mixed = graph.add(
        "Add", graph.add("MatMul", old, f"values.{layer}"), graph.add("MatMul", new, values)
    )
    # Back to (B, T, heads * D).
    heads = graph.add(
        "Concat",
        graph.add("Shape", keys, start=0, end=1),
        graph.shape(sizes.heads, -1, sizes.head),
        axis=0,
    )
    mixed = graph.add("Transpose", graph.add("Reshape", mixed, heads), perm=[0, 2, 1, 3])
    mixed = graph.add("Reshape", mixed, graph.shape(0, 0, sizes.heads * sizes.head))
    return linear(graph, mixed, f"{name}.o_proj", sizes.heads * sizes.head, sizes.hidden)


def feed_forward(graph: Graph, sizes: Sizes, layer: int, state: str) -> str:
    """down(silu(gate(x)) * up(x)) of the normalised state."""
    name = f"model.layers.{layer}.mlp"
    state = normalise(graph, sizes, state, f"model.layers.{layer}.post_attention_layernorm")
    gate = linear(graph, state, f"{name}.gate_proj", sizes.hidden, sizes.inner)
    gate = graph.add("Mul", gate, graph.add("Sigmoid", gate))
    up = linear(graph, state, f"{name}.up_proj", sizes.hidden, sizes.inner)
    return linear(graph, graph.add("Mul", gate, up), f"{name}.down_proj", sizes.inner, sizes.hidden)


def normalise(graph: Graph, sizes: Sizes, state: str, name: str) -> str:
    """Root-mean-square normalisation over the last axis."""
    mean = graph.add("ReduceMean", graph.add("Mul", state, state), graph.shape(-1))
    scale = graph.add("Sqrt", graph.add("Add", mean, graph.number(sizes.epsilon)))
    return graph.add(
        "Mul", graph.add("Div", state, scale), graph.weight(f"{name}.weight", sizes.hidden)
    )


def linear(graph: Graph, state: str, name: str, inputs: int, outputs: int) -> str:
    """`state` times a weight; the loader hands weights over transposed, (inputs, outputs)."""
    return graph.add("MatMul", state, graph.weight(f"{name}.weight", inputs, outputs))


def rotate(graph: Graph, sizes: Sizes, state: str, tables: list[str]) -> str:
    """Rotary position embedding of (B, T, heads, D): the halves of a head are the pairs."""
    cos, sin = tables
    first, second = graph.split(state, graph.shape(sizes.head // 2, sizes.head // 2), 2)
    left = graph.add("Sub", graph.add("Mul", first, cos), graph.add("Mul", second, sin))
    right = graph.add("Add", graph.add("Mul", second, cos), graph.add("Mul", first, sin))
    return graph.add("Concat", left, right, axis=-1)


def _model(graph: Graph, sizes: Sizes) -> onnx.ModelProto:
    def tensor(name: str, shape: Shape, kind: int = TensorProto.DOUBLE) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    inputs = [tensor(name, ["B", "T"], TensorProto.INT64) for name in ("tokens", "positions")]
    inputs.append(tensor("mask", ["B", 1, 1, "T", "L"]))
    outputs = [tensor("logits", ["B", "T", sizes.vocabulary])]
    for layer in range(sizes.layers):
        for into, prefix, length in ((inputs, "", "P"), (outputs, "new_", "T")):
            into.append(tensor(f"{prefix}keys.{layer}", ["B", sizes.key_heads, sizes.head, length]))
            into.append(
                tensor(f"{prefix}values.{layer}", ["B", sizes.key_heads, length, sizes.head])
            )
    body = helper.make_graph(
        graph.nodes, "llama", inputs, outputs, initializer=[*graph.constants, *graph.weights]
    )
    return helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
        producer_name="synthmill",
    )


if __name__ == "__main__":
    main()
