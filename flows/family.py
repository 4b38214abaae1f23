"""The family tree of what was bred: a record's `traces`, each under its first parent."""

from typing import Any

from rich.text import Text
from rich.tree import Tree


def family_tree(detail: dict[str, Any]) -> Tree | None:
    """The tree of the traces in a generator's record, or None where it has none.

    A trace is a mapping with `id` and `lineage` (`operator`, `parents`, `round` ...). A trace of
    two parents stands under the first and names the other.
    """
    traces = detail.get("traces")
    if not traces or not all("lineage" in trace for trace in traces):
        return None
    shown = set(detail.get("row_traces", ()))
    tree = Tree(Text("family of traces", style="bold"))
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
    label = Text(", ".join(parts))
    label.append(f": {trace.get('answer')}", style="bold")
    judged, style = JUDGED[trace.get("right")]
    label.append(f" {judged}", style=style)
    if trace.get("fault"):
        label.append(f" ({trace['fault']})", style="yellow")
    if in_row:
        label.append("  <- this row", style="bold cyan")
    return label


JUDGED = {True: ("right", "green"), False: ("wrong", "red"), None: ("not judged", "dim")}
