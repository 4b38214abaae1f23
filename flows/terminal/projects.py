"""`init` on the terminal: what was guessed, what was written, what comes next."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from synthmill.flows.projects import ProblemFile, read_problem_file, write_project
from synthmill.flows.terminal.console import output, text
from synthmill.schemas.errors import InputError

EXCERPT = 60


def init_project(folder: Path, data: Path | None, given: Mapping[str, str | None]) -> None:
    """Write a project, and print what is in it.

    Raises:
        InputError: a file exists already or cannot be read or written, or fields cannot be guessed.
    """
    console = output()
    if data is None and any(given.values()):
        raise InputError("--problem, --answer and --id name fields of the file that --from gives")
    problems = None if data is None else read_problem_file(data, given)
    files = write_project(folder, problems)
    if problems is not None:
        _print_guess(console, problems)
    console.print(text(f"wrote {folder}", "bold"))
    width = max(map(len, files))
    for name, about in files.items():
        console.print(text(f"  {name:{width}}  {about}"), soft_wrap=True)
    if problems is not None:
        about = "the embedded model knows small arithmetic only: set `models` in recipe.yaml"
        console.print(text(f"note: {about}"), soft_wrap=True)
    console.print("next:")
    inside = [] if folder.resolve() == Path.cwd() else [shlex.join(["cd", str(folder)])]
    commands = (f"synthmill {command} recipe.yaml" for command in ("check", "preview", "run"))
    for line in (*inside, *commands):
        console.print(text(f"  {line}", "cyan"), soft_wrap=True)


def _print_guess(console: Console, found: ProblemFile) -> None:
    """The fields with an example of each, and what may be wrong."""
    guess = found.guess
    more = "first " if found.looked_at >= 1000 else ""
    faults = ", ".join(f"{reason} ({count})" for reason, count in found.faults.most_common())
    others = f"; the others will be rejected rows: {faults}" if faults else ""
    line = (
        f"{found.path}: {found.problems} of the {more}{found.looked_at} rows hold a problem{others}"
    )
    console.print(text(line), soft_wrap=True)
    for part, field in (("problem", guess.problem), ("answer", guess.answer), ("id", guess.id)):
        excerpt = "" if field is None else f"{field}: {_excerpt(found.example.get(field, ''))!r}"
        console.print(text(f"  {part:8} <- {excerpt or 'no field'}"), soft_wrap=True)
    if guess.answer_after:
        console.print(text(f"  the answer is what follows {guess.answer_after!r}"), soft_wrap=True)
    if guess.unused:
        console.print(text(f"  not used: {', '.join(guess.unused[:20])}"), soft_wrap=True)
    for note in guess.notes:
        console.print(text(f"  note: {note}"), soft_wrap=True)


def _excerpt(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= EXCERPT else f"{line[: EXCERPT - 3]}..."
