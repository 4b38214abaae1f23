"""Candidates for the tests of filters."""

from typing import Any

from synthmill.filters.base import DiversityFilter, Verifier
from synthmill.filters.load import load_filter
from synthmill.filters.run import safe_judge
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate, Kind

# For filters that ask no models.
NO_CONTEXT: Any = None


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


def told(judge: Verifier | DiversityFilter, candidate: Candidate) -> tuple[str, str | None]:
    """Status and reason of the verdict."""
    verdict = safe_judge(judge, candidate)
    assert (verdict.filter, verdict.version) == (judge.name, judge.version)
    return verdict.status, verdict.reason
