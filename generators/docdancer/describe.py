"""Rows as text for a terminal."""

import json
import textwrap
from collections.abc import Iterator, Sequence

from synthmill.generators.docdancer.records import (
    DocumentQuestionDetail,
    EvidencePlace,
    RolloutDetail,
)
from synthmill.schemas.messages import Message
from synthmill.schemas.row import Row

WIDTH = 100
EXCERPT = 200


def describe(row: Row, verbose: bool = False) -> str | None:
    """The row's record as text; `verbose` shows observations whole."""
    match row.kind:
        case "rlvr" if '"exploration"' in row.detail:
            detail = DocumentQuestionDetail.model_validate_json(row.detail)
            return "\n".join(_question(row, detail, verbose))
        case "trajectory":
            one = RolloutDetail.model_validate_json(row.detail)
            return "\n".join(_rollout(one, row.messages[1:], row.answer or "", verbose))
        case "preference":
            one = RolloutDetail.model_validate_json(row.detail)
            lines = [
                "Chosen",
                *_rollout(one, row.chosen, row.answer or "", verbose),
                "",
                "Rejected",
            ]
            if one.against:
                lines += _rollout(one.against, row.rejected, row.answer or "", verbose)
            return "\n".join(lines)
        case _:
            return None


def _question(row: Row, detail: DocumentQuestionDetail, verbose: bool) -> Iterator[str]:
    yield f"Question  {detail.question}"
    yield f"Answer    {row.answer}  ({detail.answer_format})"
    yield f"Template  {detail.template}; pages {', '.join(map(str, detail.pages))}"
    if row.pass_rate is not None:
        yield f"Pass rate {row.pass_rate:.2f}"
    for number, step in enumerate(detail.reasoning, 1):
        yield f"Step {number}    {step}"
    for place in detail.places:
        yield f"Evidence  {_place(place)}"
    for text in detail.unplaced:
        yield f"Evidence  not found: {_short(text)}"
    if absence := detail.absence:
        yield f"Searched  {absence.searched} elements; both in {len(absence.joint)}"
        yield f"  {absence.subject!r} in {absence.subject_hits} of them"
        yield f"  {absence.attribute!r} in {absence.attribute_hits} of them"
        for place in (*absence.joint, *absence.near):
            yield f"  near    {_place(place)}"
    yield ""
    yield f"Exploration of {detail.document.title!r} ({detail.document.pages} pages)"
    for one in detail.exploration:
        yield f"{one.step:>3}. {one.intent}"
        yield f"     {one.tool} {one.arguments}"
        yield from _wrapped(one.observation if verbose else _short(one.observation), "     ")


def _rollout(
    detail: RolloutDetail, turns: Sequence[Message], answer: str, verbose: bool
) -> Iterator[str]:
    state = "grounded" if detail.grounded else "right" if detail.right else "not right"
    yield f"Question  {detail.question}"
    yield f"Answer    {answer}; given {detail.prediction!r}, score {detail.score:.2f}, {state}"
    yield f"Pages     {', '.join(map(str, detail.read_pages)) or 'none'}; ended: {detail.stop}"
    for turn in turns:
        if turn.role == "tool":
            yield from _wrapped(turn.text if verbose else _short(turn.text), "  = ")
            continue
        if turn.reasoning:
            yield from _wrapped(turn.reasoning, "  ~ ")
        for call in json.loads(turn.tool_calls or "[]"):
            yield f"  > {call['function']['name']} {call['function']['arguments']}"
        if turn.text:
            yield from _wrapped(turn.text, "  ")


def _place(place: EvidencePlace) -> str:
    where = f"page {place.page}" if place.page else f"section {place.section}"
    what = f"{place.row} / {place.column} = {place.value}  <- " if place.row else ""
    return f"{place.modality}, {where} [{place.start}:{place.end}]: {what}{_short(place.quote)}"


def _short(text: str) -> str:
    return textwrap.shorten(text, EXCERPT, placeholder=" ...")


def _wrapped(text: str, indent: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from textwrap.wrap(
            line, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent)
        )
