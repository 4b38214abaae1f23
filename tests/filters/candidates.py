"""Candidates for the tests of filters."""

from typing import Any

from synthmill.filters.base import Filter
from synthmill.filters.load import load_filter
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate, Kind


def make(name: str, **settings: Any) -> Any:
    """The filter of this name with these settings."""
    return load_filter(FilterSpec(name=name, settings=settings))


def sft(response: str, *, answer: str | None = None, question: str = "How many?") -> Candidate:
    return Candidate(kind="sft", messages=[user(question), assistant(response)], answer=answer)


def pair(
    chosen: str, rejected: str, *, answer: str | None = None, question: str = "How many?"
) -> Candidate:
    return Candidate(
        kind="preference",
        messages=[user(question)],
        chosen=[assistant(chosen)],
        rejected=[assistant(rejected)],
        answer=answer,
    )


def task(question: str, answer: str | None = None, kind: Kind = "rlvr") -> Candidate:
    return Candidate(kind=kind, messages=[user(question)], answer=answer)


def told(judge: Filter, candidate: Candidate) -> tuple[str, str | None]:
    """Status and reason of the verdict."""
    verdict = judge.decide(candidate)
    assert (verdict.filter, verdict.version) == (judge.name, judge.version)
    return verdict.status, verdict.reason
