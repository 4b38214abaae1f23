"""Trees as plain data: ways from the root, leaves, and which paths are worth a question."""

from collections.abc import Sequence
from typing import NamedTuple

from synthmill.generators.ragshaper.records import Node


class Path(NamedTuple):
    """Nodes from the root to a leaf, and how many documents they gained."""

    nodes: tuple[Node, ...]
    gain: int

    @property
    def ids(self) -> list[int]:
        """The node ids, root first."""
        return [node.id for node in self.nodes]


def path_to(nodes: Sequence[Node], end: int) -> tuple[Node, ...]:
    """The nodes from the root to node `end`; node ids are positions in `nodes`."""
    way: list[Node] = []
    at: int | None = end
    while at is not None:
        way.append(nodes[at])
        at = nodes[at].parent
    return tuple(reversed(way))


def leaves(nodes: Sequence[Node]) -> list[int]:
    """Ids of the nodes without children."""
    parents = {node.parent for node in nodes}
    return [node.id for node in nodes if node.id not in parents]


def gained(path: Sequence[Node]) -> int:
    """How many documents a path brought, distractors among them (the paper's path score).

    The paper sums the documents of the nodes. A document that is found again is not counted again
    here: it is no gain, and else the longest walk in circles would win.
    """
    return len({name for node in path for name in (*node.passages, *node.distractors)})


def select_paths(nodes: Sequence[Node], count: int, max_jaccard: float) -> list[Path]:
    """The `count` paths that gained most, none of which shares too many nodes with a better one.

    `max_jaccard` is the largest allowed overlap (released code's rule, 0.7). Ties go to the leaf
    that was reached first.
    """
    paths = [Path(way, gained(way)) for way in (path_to(nodes, leaf) for leaf in leaves(nodes))]
    kept: list[Path] = []
    for path in sorted(paths, key=lambda p: -p.gain):
        if len(kept) == count:
            break
        if all(jaccard(path.ids, other.ids) <= max_jaccard for other in kept):
            kept.append(path)
    return kept


def jaccard(one: Sequence[int], other: Sequence[int]) -> float:
    """Shared nodes over all nodes of two paths."""
    return len(set(one) & set(other)) / len(set(one) | set(other))
