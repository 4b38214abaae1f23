"""Functions as filters: `candidate -> bool`, or `candidate -> (bool, reason)`.

    from synthmill import filter

    @filter(version=2)
    def short_sentences(candidate):
        longest = ...
        return longest <= 25, f"sentence of more than 25 words"

A recipe names it `./my_filters.py:short_sentences`; the decorator may be left out.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, overload

from synthmill.filters.base import Cost, Verifier
from synthmill.schemas.base import Settings
from synthmill.schemas.errors import InputError
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = "__synthmill_filter__"


@dataclass(frozen=True, slots=True)
class FilterOptions:
    """What the decorator says about a function."""

    name: str | None = None
    version: int = 1
    cost: Cost = "rule"
    time_limit: float = 10.0
    settings: type[Settings] | None = None


@overload
def filter(function: F) -> F: ...
@overload
def filter(
    *,
    name: str | None = None,
    version: int = 1,
    cost: Cost = "rule",
    time_limit: float = 10.0,
    settings: type[Settings] | None = None,
) -> Callable[[F], F]: ...
def filter(function: Any = None, **options: Any) -> Any:
    """Mark a function as a filter; it stays an ordinary function.

    Args:
        name: what verdicts call it; by default the function's name.
        version: to be raised when its verdicts change.
        cost: `rule` (in place), or `cpu` (in a killable worker process).
        time_limit: seconds that a `cpu` filter may take for a candidate.
        settings: a `synthmill.schemas.base.Settings` class; the function then takes
            `(candidate, settings)`, and recipes can set what it declares.
    """

    def marked(function: F) -> F:
        setattr(function, _OPTIONS, FilterOptions(**options))
        return function

    return marked(function) if function is not None else marked


class FunctionFilter(Verifier):
    """A function in the form of a filter; `filter_class` makes subclasses of it."""

    function: ClassVar[Callable[..., Any]]
    takes_settings: ClassVar[bool] = False

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass where the function returns True (or a tuple that begins with it), else fail."""
        arguments = (candidate, self.settings) if self.takes_settings else (candidate,)
        returned = type(self).function(*arguments)
        passed, reason = returned if isinstance(returned, tuple) else (returned, None)
        if str(getattr(passed, "dtype", None)) == "bool":  # numpy's
            passed = bool(passed)
        if not isinstance(passed, bool) or not isinstance(reason, str | None):
            raise TypeError(f"returned {returned!r:.80}, not a bool or a (bool, reason)")
        if passed:
            return self.verdict("pass")
        return self.verdict("fail", reason or f"{self.name} returned False")


def filter_class(function: Callable[..., Any]) -> type[FunctionFilter]:
    """The filter that a function is.

    Raises:
        InputError: it is asynchronous, or its parameters do not fit.
    """
    options = getattr(function, _OPTIONS, FilterOptions())
    name = options.name or str(getattr(function, "__name__", type(function).__name__))
    if inspect.iscoroutinefunction(function):
        raise InputError(
            f"filter {name!r} is asynchronous; a filter that asks models is a ModelVerifier class"
        )
    wanted = 2 if options.settings else 1
    try:
        inspect.signature(function).bind(*range(wanted))
    except (TypeError, ValueError) as error:
        takes = "candidate, settings" if options.settings else "candidate"
        raise InputError(f"filter {name!r} must take ({takes}): {error}") from error
    return type(
        name,
        (FunctionFilter,),
        {
            "__doc__": inspect.getdoc(function),
            "name": name,
            "version": options.version,
            "cost": options.cost,
            "time_limit": options.time_limit,
            "Settings": options.settings or Settings,
            "function": staticmethod(function),
            "takes_settings": options.settings is not None,
        },
    )
