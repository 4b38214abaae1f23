"""Errors that a user can mend, and how they are worded."""

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Something the user gave cannot be used: what, where, and what would be right, in one line.

    The command line prints it as it is and exits with code 2.
    """


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known word closest to `word`, or an empty string."""
    match = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {match[0]!r}?)" if match else ""
