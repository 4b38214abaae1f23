"""How many accepted rows a run is to make: in all, or of each kind."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import Field

from synthmill.schemas.errors import nearest
from synthmill.schemas.row import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
ROWS = "rows"  # in the place of a kind: rows of all kinds
MOST = 2**53  # of a count: what JSON and the catalog hold exactly

Target = Annotated[int, Field(gt=0, le=MOST)] | dict[Kind, Annotated[int, Field(ge=0, le=MOST)]]


class Targets:
    """A target as numbers by kind, to compare with the accepted rows of each kind.

    `limits` maps kinds to numbers, or `ROWS` to the number of a target without kinds; it is empty
    where there is no target. A kind that is not named is not bounded; 0 means none of it.
    """

    def __init__(self, target: Target | None) -> None:
        self.limits: dict[str, int] = {}
        if isinstance(target, int):
            self.limits = {ROWS: target}
        elif target is not None:
            self.limits = {kind: target[kind] for kind in KINDS if kind in target}

    @property
    def ends_the_run(self) -> bool:
        """Whether there is anything to reach: a target that only excludes kinds has no end."""
        return any(self.limits.values())

    def met(self, by_kind: Mapping[str, int]) -> bool:
        """Whether every named kind has its rows."""
        return self.ends_the_run and not self.missing(by_kind)

    def missing(self, by_kind: Mapping[str, int]) -> dict[str, int]:
        """The rows still to make, of each kind that misses any."""
        left = {name: limit - accepted(by_kind, name) for name, limit in self.limits.items()}
        return {name: number for name, number in left.items() if number > 0}

    def full(self, kind: str, by_kind: Mapping[str, int]) -> bool:
        """Whether one more row of this kind would exceed its number."""
        return kind in self.limits and by_kind.get(kind, 0) >= self.limits[kind]

    def share(self, by_kind: Mapping[str, int]) -> float:
        """How much of the target is made, from 0 to 1; 0 where nothing is to be reached."""
        total = sum(self.limits.values())
        return 1 - sum(self.missing(by_kind).values()) / total if total else 0.0


def accepted(by_kind: Mapping[str, int], name: str) -> int:
    """The accepted rows of a kind, or of all kinds for the name `ROWS`."""
    return sum(by_kind.values()) if name == ROWS else by_kind.get(name, 0)


def checked_target(given: Any) -> Target | None:
    """A target as a user wrote it.

    Raises:
        ValueError: it is neither a number of rows nor a mapping of kinds to numbers.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        if not _is_number(given, 1):
            raise ValueError("a positive number of rows, or numbers by kind such as {sft: 100}")
        return int(given)
    if not given:
        raise ValueError(f"no kind is named; kinds are {', '.join(KINDS)}")
    for kind in given:
        if kind not in KINDS:
            hint = nearest(str(kind), KINDS)
            raise ValueError(f"there is no kind {kind!r}{hint}; kinds are {', '.join(KINDS)}")
        if not _is_number(given[kind], 0):
            raise ValueError(
                f"the rows of kind {kind} are a number, 0 for none (given: {given[kind]!r:.40})"
            )
    return {kind: int(number) for kind, number in given.items()}


def target_from_text(text: str) -> Target:
    """A target on a command line: `100`, or `sft=100,rlvr=50`.

    Raises:
        ValueError: it is not of that form.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    if len(pairs) == 1 and not pairs[0][1]:
        given: Any = _digits(text)
    else:
        given = {kind.strip(): _digits(number) for kind, _, number in pairs}
        if len(given) < len(pairs):
            raise ValueError("a kind is named twice")
    target = checked_target(given)
    assert target is not None
    return target


def _digits(text: str) -> Any:
    return int(text) if text.strip().isdecimal() else text


def _is_number(given: Any, least: int) -> bool:
    whole = isinstance(given, int) or (isinstance(given, float) and given.is_integer())
    return whole and not isinstance(given, bool) and least <= given <= MOST
