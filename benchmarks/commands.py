"""The command line at work in a folder of its own, for benchmarks that attack or disturb it.

`Workplace` is a folder with sources, recipes and a data folder; `Command` is `synthmill` started
there as a process; `said` is what is wrong with the end of one.
"""

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import yaml

from synthmill.generators.base import Context, Generator, Task
from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Settings
from synthmill.schemas.messages import Message, assistant, user
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Problem
from synthmill.sources.documents.document import Document
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home

ROOT = Path(__file__).parents[1]
SYNTHMILL = (sys.executable, "-m", "synthmill.flows.cli")
CODES = (0, 2, 3)  # done, something to correct, stopped and resumable; others are defects


class Question(Prompt[str]):
    """A problem."""

    problem: str

    def messages(self) -> tuple[Message, ...]:
        """One turn of the user."""
        return (user(self.problem),)


class Cards(Generator[Settings]):
    """Asks a model about each problem and stores the answer as a file that the row refers to."""

    name: ClassVar[str] = "cards"
    item = Problem

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """One row."""
        problem: Problem = task.item
        reply = await context.generate(Question(problem=problem.text), purpose="ask")
        text = reply.unwrap()
        file = await context.write_media(text.encode(), "file", "text/plain")
        yield Candidate(
            kind="sft",
            messages=[user(problem.text), assistant(text)],
            answer=problem.answer,
            media=[file],
            sources=[problem.origin],
        )


class Pages(Generator[Settings]):
    """The first words of each document, without a model."""

    name: ClassVar[str] = "pages"
    item = Document

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """One row."""
        document: Document = task.item
        text = document.text[:2000]
        yield Candidate(kind="corpus", messages=[user(text)])


class Workplace:
    """A folder with problems, a recipe for them, and the data folder `factory`.

    `files` files hold `problems` problems each. The model is a server at `url`; without one the
    recipe cannot run. `temporary` is where commands put what they need for themselves.
    """

    def __init__(self, folder: Path, url: str = "http://127.0.0.1:9/v1", temporary: str = "tmp"):
        self.folder = folder
        self.temporary = folder / temporary
        self.home = Home(folder / "factory")
        self.url = url
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SYNTHMILL_", "PREFECT_"))},
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder),
            "TMPDIR": str(self.temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
        }
        self.temporary.mkdir(parents=True, exist_ok=True)

    def write_sources(self, files: int, problems: int) -> None:
        """Files `problems/000.jsonl` and so on."""
        for number in range(files):
            path = self.folder / "problems" / f"{number:03}.jsonl"
            path.parent.mkdir(exist_ok=True)
            lines = ({"problem": f"question {number}-{n}", "answer": "1"} for n in range(problems))
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def write_recipe(self, name: str = "cards", **changes: Any) -> None:
        """The recipe `NAME.yaml`, which makes a row of each problem of the files."""
        settings = {
            "base_url": self.url,
            "first_backoff_seconds": 0.02,
            "longest_backoff_seconds": 0.2,
            "retries": 3,
        }
        recipe = {
            "name": name,
            "source": {"type": "folder", "path": "problems"},
            "generator": {"name": "benchmarks.commands:Cards"},
            "models": {"default": {"backend": "openai", "model": "scripted", "settings": settings}},
            "filters": ["length", "exact_content"],
            "engine": {"batch_rows": 20, "concurrency": 4, "give_up_after_minutes": 0.05},
            "output": {"dataset": name},
            **changes,
        }
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe))

    def start(self, *arguments: str, before: Callable[[], None] | None = None) -> "Command":
        """`synthmill` with these arguments; `before` is called in the new process."""
        return Command(self, arguments, before)

    def run(self, *arguments: str, seconds: float = 300.0) -> "Command":
        """`start`, and wait for its end."""
        command = self.start(*arguments)
        command.wait(seconds)
        return command

    def rows(self, dataset: str) -> list[str]:
        """The rows of a dataset as texts, sorted, without what differs from run to run."""
        found = Dataset.open(self.home, dataset).rows(status=None)
        bare = (row.model_copy(update={"run_id": "", "created_at": None}) for row in found)
        # The folder is that of one of two workplaces that are compared.
        return sorted(row.model_dump_json().replace(str(self.folder), "") for row in bare)


class Command:
    """A process of `synthmill`, with its output in files."""

    def __init__(
        self, place: Workplace, arguments: Sequence[str], before: Callable[[], None] | None
    ) -> None:
        self.arguments = tuple(arguments)
        self._stem = place.temporary / f"said-{os.urandom(4).hex()}"
        with self._file(".out").open("wb") as out, self._file(".err").open("wb") as err:
            self.process = subprocess.Popen(
                [*SYNTHMILL, *arguments],
                cwd=place.folder,
                env=place.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                preexec_fn=before,
            )
        self.output = self.errors = ""

    def _file(self, suffix: str) -> Path:
        return self._stem.with_suffix(suffix)

    def wait(self, seconds: float) -> int | None:
        """The exit code (negative: the signal that killed it), or None where it is killed now."""
        try:
            code: int | None = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = None
        self.output, self.errors = (
            self._file(suffix).read_text("utf-8", "replace") for suffix in (".out", ".err")
        )
        for suffix in (".out", ".err"):
            self._file(suffix).unlink()
        return code


def fault_of(code: int | None, output: str, errors: str) -> str | None:
    """What is wrong with the end of a command that was not killed, or None.

    Right are the codes of `CODES`; no traceback and no panic of a library; and one line on stderr
    that says why, where the code is 2.
    """
    both = output + errors
    if code is None:
        return "hangs"
    if code not in CODES:
        return f"exit code {code}"
    for sign in ("Traceback (most recent call last)", "panicked at", "defect: "):
        if sign in both:
            return sign
    if code == 2 and not errors.strip() and not output.strip():
        return "exit code 2 without a word"
    return None
