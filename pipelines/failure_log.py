"""Failures of tasks: one line with file and line for the report, the traceback for the run's log.

It imports nothing heavy: the command line uses `redacted` for every error.
"""

import os
import re
import sysconfig
import traceback
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

STANDARD_LIBRARY = sysconfig.get_path("stdlib")
SECRET_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS)$", re.IGNORECASE)
MAX_TRACEBACKS = 20  # ours: of each reason; a run may fail a million times for one
MAX_REASONS = 1000  # ours: an exception may have a number in its text


class FailureLog:
    """Writes the tracebacks of failed tasks to a file, which is made at the first one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: Counter[str] = Counter()

    def add(self, task: str, error: BaseException) -> str:
        """Write the traceback, and return the failure in one line."""
        reason = failure_text(error)
        known = reason in self._written or len(self._written) < MAX_REASONS
        if known and self._written[reason] < MAX_TRACEBACKS:
            self._written[reason] += 1
            text = redacted("".join(traceback.format_exception(error)))
            try:
                with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                    file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, {task}\n{text}\n")
            except OSError:  # a full disk ends the run at its next commit, with a clear line
                pass
        return reason


def failure_text(error: BaseException) -> str:
    """The exception, with the file and line of the innermost frame outside of libraries."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = ([f for f in frames if not _is_library(f.filename)] or frames)[-1]
    place = "/".join(Path(frame.filename).parts[-2:])
    return f"{type(error).__name__}: {str(error)[:200]} ({place}:{frame.lineno})"


def redacted(text: str) -> str:
    """`text` without the values of environment variables that are named like secrets."""
    for name, value in os.environ.items():
        if SECRET_NAMES.search(name) and len(value) >= 8:
            text = text.replace(value, f"<{name}>")
    return text


def _is_library(file: str) -> bool:
    if "/synthmill/" in file:  # which may be installed among libraries itself
        return False
    return "site-packages" in file or file.startswith((STANDARD_LIBRARY, "<"))
