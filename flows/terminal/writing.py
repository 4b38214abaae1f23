"""Writing the files that a user asks for."""

from pathlib import Path

from synthmill.schemas.errors import InputError


def write_text(path: Path, text: str, new: bool = False) -> None:
    """Write a text file; a `new` one must not exist yet.

    Raises:
        InputError: it exists, or cannot be written.
    """
    try:
        with path.open("x" if new else "w", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError as error:
        raise InputError(f"{path} exists already; give another name") from error
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error
