"""Rows as text for a terminal: trees with their distractors, trajectories turn by turn."""

import json
import textwrap
from collections.abc import Iterator, Sequence

from synthmill.generators.agent.tools import FAILED
from synthmill.generators.ragshaper.navigation import split_documents
from synthmill.generators.ragshaper.records import (
    CheckedDistractor,
    Distractor,
    DistractorDetail,
    Encounter,
    Injection,
    QuestionDetail,
    TrajectoryDetail,
    TreeNode,
)
from synthmill.schemas.messages import Message
from synthmill.schemas.row import Row
from synthmill.schemas.verdict import Verdict

WIDTH = 100
EXCERPT = 160


def describe(row: Row) -> str | None:
    """The row's record as text, or None for kinds of no such record."""
    match row.kind:
        case "rlvr":
            return "\n".join(_question(row, QuestionDetail.model_validate_json(row.detail)))
        case "trajectory":
            detail = TrajectoryDetail.model_validate_json(row.detail)
            return "\n".join(_trajectory(row.messages, row.answer or "", detail))
        case "preference":
            return "\n".join(_preference(row))
        case "corpus" if row.detail != "{}":
            detail_ = DistractorDetail.model_validate_json(row.detail)
            return "\n".join(_distractor(detail_.distractor, row.verdicts, ""))
        case _:
            return None


def _question(row: Row, detail: QuestionDetail) -> Iterator[str]:
    yield f"Question  {row.messages[0].content}"
    yield f"Answer    {row.answer}"
    if row.pass_rate is not None:
        yield f"Pass rate {row.pass_rate:.2f}"
    for hop in detail.hops:
        source = hop.source
        place = f"{source.uri} [{source.start}:{source.end}]" if source else "not found"
        yield f"Hop {hop.hop}     {hop.output}  <-  {_short(hop.evidence)}  ({place})"
    yield ""
    yield f"Tree of {detail.tree.seed}; * marks the path, which gained {_gain(detail)} documents"
    distractors = {c.distractor.id: c for c in detail.distractors}
    yield from _subtree(detail.tree.nodes, 0, set(detail.path), distractors, "")


def _gain(detail: QuestionDetail) -> int:
    return detail.tree.gains[detail.tree.paths.index(detail.path)]


def _subtree(
    nodes: Sequence[TreeNode],
    at: int,
    path: set[int],
    distractors: dict[str, CheckedDistractor],
    indent: str,
) -> Iterator[str]:
    node = nodes[at]
    mark = "*" if at in path else " "
    what = "search" if node.passages or not node.distractors else "distract"
    yield f"{indent}{mark} {what}: {_short(node.arguments)}  ({len(node.passages)} passages)"
    for name in node.distractors:
        if name in distractors:
            checked = distractors[name]
            yield from _distractor(checked.distractor, checked.verdicts, indent + "    ")
        else:
            yield f"{indent}    ! a distractor of another path, or rejected"
    children = [child.id for child in nodes if child.parent == at]
    deeper = indent if len(children) == 1 else indent + "  "
    for child in children:
        yield from _subtree(nodes, child, path, distractors, deeper)


def _distractor(distractor: Distractor, verdicts: Sequence[Verdict], indent: str) -> Iterator[str]:
    yield f"{indent}! {distractor.type} ({distractor.level}): {distractor.title}"
    yield from textwrap.wrap(
        distractor.text, WIDTH, initial_indent=indent + "  ", subsequent_indent=indent + "  "
    )
    yield f"{indent}  asks: {distractor.question}"
    yield f"{indent}  says {distractor.wrong_answer!r}, not {distractor.true_answer!r}"
    yield f"{indent}  marker: {distractor.marker!r}"
    failed = [verdict for verdict in verdicts if verdict.status in ("fail", "error")]
    for verdict in failed:
        yield f"{indent}  rejected: {verdict.reason} {verdict.detail or ''}"
    if not failed:
        passed = [verdict.filter for verdict in verdicts if verdict.status == "pass"]
        yield f"{indent}  passed: {', '.join(passed)}"


def _trajectory(
    messages: Sequence[Message], answer: str, detail: TrajectoryDetail
) -> Iterator[str]:
    yield f"Question  {detail.question}"
    yield f"Answer    {detail.prediction or '(none)'}  (truth {answer}, F1 {detail.f1:.2f})"
    yield f"Outcome   {detail.outcome}, {detail.stop}"
    for met in detail.encounters:
        yield f"Met       {met.type} at turn {met.step}: {_fate(met)}"
    injections = iter(detail.injections)
    for message in messages:
        if message.role == "assistant":
            yield from _said(message)
        elif message.role == "tool" and message.text.startswith(FAILED):
            yield f"  fails  {_short(message.text)}"  # it never reached the retriever
        elif message.role == "tool":
            yield from _observed(message, next(injections, None))


def _fate(met: Encounter) -> str:
    if met.recovered:
        return "followed, then recovered"
    if met.rejected:
        return "cited and rejected"
    return "followed" if met.followed else "cited" if met.cited else "passed over"


def _said(message: Message) -> Iterator[str]:
    yield ""
    if message.reasoning:
        yield from textwrap.wrap(
            message.reasoning, WIDTH, initial_indent="thinks  ", subsequent_indent="        "
        )
    for call in json.loads(message.tool_calls or "[]"):
        yield f"calls   {call['function']['name']} {call['function']['arguments']}"
    if message.content:
        yield f"says    {message.content}"


def _observed(message: Message, injection: Injection | None) -> Iterator[str]:
    positions = injection.positions if injection else []
    for number, document in enumerate(split_documents(message.text)):
        mark = "!" if number in positions else " "
        yield f"  sees {mark}[{document.title}] {_short(document.text)}"


def _preference(row: Row) -> Iterator[str]:
    detail = TrajectoryDetail.model_validate_json(row.detail)
    yield "CHOSEN"
    yield from _trajectory(row.chosen, row.answer or "", detail)
    if detail.against is not None:
        yield ""
        yield "REJECTED"
        yield from _trajectory(row.rejected, row.answer or "", detail.against)


def _short(text: str) -> str:
    return textwrap.shorten(text, EXCERPT, placeholder=" ...")
