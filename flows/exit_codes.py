"""Failures as one line on stderr and an exit code; never a traceback."""

import errno
import os
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from synthmill.pipelines.failure_log import redacted
from synthmill.schemas.errors import InputError

DEFECT, USER_ERROR, RESUMABLE = 1, 2, 3
DUCKDB_INTERRUPTED = "Query interrupted"  # the RuntimeError that it makes of Ctrl-C
# Errors caused by the path that the user gave; other errors of the system may be ours.
WRONG_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP}


class CommandError(click.ClickException):
    """A failure, described in one line; of several mistakes, each has a line."""

    def __init__(self, lines: Sequence[str], exit_code: int) -> None:
        shown = ("".join(s if s.isprintable() else "?" for s in " ".join(x.split())) for x in lines)
        super().__init__(redacted("\n".join(shown)))
        self.exit_code = exit_code  # type: ignore[misc]

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the lines."""
        for line in self.message.splitlines():
            click.echo(f"synthmill: {line}", file=file, err=True)


def _one_line(text: str, exit_code: int) -> CommandError:
    return CommandError([text], exit_code)


@contextmanager
def translated(ctx: click.Context) -> Iterator[None]:
    """Turn a command's exceptions into `CommandError`; those of click pass unchanged."""
    try:
        yield
    except InputError as error:
        raise CommandError(error.lines, USER_ERROR) from error
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except (BrokenPipeError, KeyboardInterrupt):
        raise  # click ends quietly on both
    except Exception as error:
        raise _unexpected(error) from error


def _unexpected(error: Exception) -> Exception:
    """The error to show for an exception that no command expects."""
    if isinstance(error, OSError) and error.errno in WRONG_PLACE:
        place = error.filename or "a file or folder"
        return _one_line(f"{place}: {error.strerror}; use another place, or --home", USER_ERROR)
    if str(error) == DUCKDB_INTERRUPTED:
        return click.Abort()
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryException":  # DuckDB's
        return _one_line("the memory is used up; free some, or use a larger machine", USER_ERROR)
    from synthmill.schemas.plugins import place_in_plugin

    log, place = write_log(error), place_in_plugin(error)
    # Frames are kept with the error until the end of the program, and with them DuckDB's
    # connections, whose binding would print a page about leaked types.
    traceback.clear_frames(error.__traceback__)
    summary = traceback.format_exception_only(error)[-1]
    if place is not None:
        return _one_line(f"{place}: {summary} (traceback in {log})", USER_ERROR)
    return _one_line(f"defect: {summary} (traceback in {log})", DEFECT)


def write_log(error: BaseException) -> Path:
    """Write the traceback to a new file that its owner alone can read, and return its path."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-")
    descriptor, name = tempfile.mkstemp(prefix=f"synthmill-{stamp}", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(redacted("".join(traceback.format_exception(error))))
    return Path(name)
