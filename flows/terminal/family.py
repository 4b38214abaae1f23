"""The family tree of what was bred: a record's `traces`, each under its first parent."""

from typing import Any

from rich.text import Text
from rich.tree import Tree

from synthmill.flows.terminal.console import text


def family_tree(detail: dict[str, Any]) -> Tree | None:
    """The tree of the traces in a generator's record, or None where it has none.

    A trace is a mapping with `id` and `lineage` (`operator`, `parents`, `round` ...). A trace of
    two parents stands under the first and names the other.
    """
    traces = detail.get("traces")
    if not traces or not all("lineage" in trace for trace in traces):
        return None
    shown = set(detail.get("row_traces", ()))
    tree = Tree(text("family of traces", "bold"))
    nodes: dict[str, Tree] = {}
    for trace in traces:  # parents come before their children
        parents = trace["lineage"]["parents"]
        above = nodes.get(parents[0], tree) if parents else tree
        nodes[trace["id"]] = above.add(_label(trace, trace["id"] in shown))
    return tree


def _label(trace: dict[str, Any], in_row: bool) -> Text:
    lineage = trace["lineage"]
    parts = [f"{trace['id']} {lineage['operator']}"]
    if lineage["round"]:
        parts.append(f"round {lineage['round']}")
    if len(lineage["parents"]) > 1:
        parts.append(f"with {', '.join(lineage['parents'][1:])}")
    if lineage.get("step") is not None:
        parts.append(f"at step {lineage['step'] + 1}")
    if lineage.get("entropy") is not None:
        parts.append(f"entropy {lineage['entropy']:.2f}")
    label = text(", ".join(parts)) + text(f": {trace.get('answer')}", "bold")
    label += text(*JUDGED[trace.get("right")])
    if trace.get("fault"):
        label += text(f" ({trace['fault']})", "yellow")
    return label + text("  <- this row", "bold cyan") if in_row else label


JUDGED = {True: (" right", "green"), False: (" wrong", "red"), None: (" not judged", "dim")}
