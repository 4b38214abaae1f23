"""Running filters: whatever a filter does to a candidate, there is a verdict."""

from collections.abc import Callable, Iterable
from functools import lru_cache, partial

from synthmill.filters.base import (
    DiversityFilter,
    Filter,
    FilterContext,
    FilterReference,
    ModelVerifier,
    Verifier,
)
from synthmill.filters.load import load_reference
from synthmill.models.errors import ConfigurationError, ServerUnavailable
from synthmill.runtime.workers import Limits, WorkerError, WorkerPool
from synthmill.schemas.errors import InputError
from synthmill.schemas.plugins import raised_at
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


async def judge(
    found: Verifier | ModelVerifier,
    candidate: Candidate,
    context: FilterContext,
    workers: WorkerPool,
) -> Verdict:
    """The filter's verdict, found where its cost class belongs: in place, in a worker, by a model.

    What could not be decided is an `error` verdict: "time limit of 10 s", "worker died", "memory
    limit of 4096 MB", or the name of the exception.

    Raises:
        ServerUnavailable, ConfigurationError, InputError: of a model filter, where no candidate can
            be judged (a dead server, a wrong key): that concerns the run and not the candidate.
    """
    if isinstance(found, ModelVerifier):
        return await _by_models(found, candidate, context)
    if found.cost == "rule":
        return safe_judge(found, candidate)
    try:
        verdict = found.fast_verdict(candidate)
        if verdict is None:
            limits = Limits(seconds=found.time_limit)
            verdict = await workers.run(
                _judge_in_worker, found.reference or found, candidate, limits=limits
            )
        return verdict
    except WorkerError as error:
        return found.verdict("error", str(error))
    except Exception as error:
        return _failure(found, error)


def safe_judge(found: Verifier | DiversityFilter, candidate: Candidate) -> Verdict:
    """The verdict of `judge`, in place; an exception becomes an `error` verdict.

    Raises:
        MemoryError: it concerns the process, not the candidate.
    """
    try:
        return _checked(found, found.judge(candidate))
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        return _failure(found, error)


def warm_up(filters: Iterable[Filter]) -> list[Callable[[], None]]:
    """The calls that load the `cpu` filters among these, for `WorkerPool(warm=...)`."""
    cpu = [found for found in filters if found.cost == "cpu"]
    return [partial(_prepare, found.reference or found) for found in cpu]


async def _by_models(found: ModelVerifier, candidate: Candidate, context: FilterContext) -> Verdict:
    try:
        return _checked(found, await found.judge(candidate, context))
    except (ServerUnavailable, ConfigurationError, InputError):
        raise
    except (Exception, SystemExit) as error:
        return _failure(found, error)


def _prepare(found: FilterReference | Filter) -> None:
    _loaded(found).prepare()


def _judge_in_worker(found: FilterReference | Filter, candidate: Candidate) -> Verdict:
    verifier = _loaded(found)
    assert isinstance(verifier, Verifier)  # the only kind that runs in workers
    return safe_judge(verifier, candidate)


def _loaded(found: FilterReference | Filter) -> Filter:
    return _by_reference(found) if isinstance(found, FilterReference) else found


_by_reference = lru_cache(maxsize=64)(load_reference)


def _checked(found: Filter, verdict: object) -> Verdict:
    if not isinstance(verdict, Verdict):
        return _failure(found, TypeError(f"judge returned {type(verdict).__name__}, no verdict"))
    return verdict


def _failure(found: Filter, error: BaseException) -> Verdict:
    detail = f"{error}{raised_at(error)}"
    return found.verdict("error", f"{type(error).__name__} raised", detail=detail)
