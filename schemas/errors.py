"""Errors that a user can mend, and how they are worded."""

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

Location = Sequence[int | str]


class InputError(Exception):
    """Something the user gave cannot be used: what, where, and what would be right, in one line.

    The command line prints it as it is and exits with code 2.
    """

    @property
    def lines(self) -> list[str]:
        """One line for each mistake."""
        return [" ".join(str(self).split())]


class Mistake(NamedTuple):
    """One mistake in what a user wrote: the keys that lead to it, and what would be right."""

    location: Location
    text: str


class InvalidData(InputError):
    """All mistakes in a text or mapping, one line each, that begins with the place.

    Args:
        mistakes: what is wrong.
        where: what is checked, such as `generator.settings`.
        place: the place of a location, such as file and line; by default `where`.
    """

    def __init__(
        self,
        mistakes: Sequence[Mistake],
        where: str,
        place: Callable[[Location], str] | None = None,
    ) -> None:
        self.mistakes = mistakes
        self.where = where
        self._lines = [f"{place(m.location) if place else where}: {m.text}" for m in mistakes]
        super().__init__("; ".join(self._lines))

    @property
    def lines(self) -> list[str]:
        """One line for each mistake."""
        return [" ".join(line.split()) for line in self._lines]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known word closest to `word`, or an empty string."""
    match = closest(word, known)
    return f" (did you mean {match!r}?)" if match else ""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`, if one is close."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
