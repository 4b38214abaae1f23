"""Pages of the documentation as a reader follows them: files are written, commands are run."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"`([\w/-]+\.(?:py|yaml|jsonl|csv|jinja))`")
PROGRAMS = {
    "synthmill": "from synthmill.flows.cli import main",
    "duckdb": "from duckdb_cli.__main__ import main",
}


class Block(NamedTuple):
    """A code block: its language, its text, and the file that was named last before it."""

    language: str
    code: str
    file: str | None


def blocks(page: Path) -> Iterator[Block]:
    """The code blocks of a page."""
    text, end = page.read_text("utf-8"), 0
    for found in BLOCK.finditer(text):
        named = FILE.findall(text[end : found.start()])
        yield Block(found[1], found[2], named[-1] if named else None)
        end = found.end()


def inline(page: Path) -> list[str]:
    """The code within sentences and tables."""
    return INLINE.findall(BLOCK.sub("", page.read_text("utf-8")))


def commands(code: str) -> list[str]:
    """The command lines in a block of a shell, without their comments."""
    lines = (re.sub(r"\s+# .*", "", line).strip() for line in code.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def write_files(page: Path, folder: Path) -> list[str]:
    """Write each block to the file named before it; return the commands of the page."""
    asked: list[str] = []
    for block in blocks(page):
        if block.language in ("sh", ""):
            asked += commands(block.code)
        elif block.file is not None:
            (folder / block.file).parent.mkdir(exist_ok=True)
            (folder / block.file).write_text(block.code, encoding="utf-8")
    return asked


class Shell:
    """A shell in an empty folder, with the programs of this checkout and a data folder there."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        bin = folder / ".bin"
        bin.mkdir(parents=True)
        programs = {"python": [sys.executable]}
        for name, imported in PROGRAMS.items():
            # Not an entry point, which an environment without this checkout installed lacks.
            code = f"import sys; {imported}; sys.argv[0] = {name!r}; sys.exit(main())"
            programs[name] = [sys.executable, "-c", code]
        for name, words in programs.items():
            line = shlex.join(["exec", *words])
            (bin / name).write_text(f'#!/bin/sh\n{line} "$@"\n', encoding="utf-8")
            (bin / name).chmod(0o755)
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("PREFECT_", "SYNTHMILL_"))}
        self.environment = {
            **kept,
            "PATH": f"{bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HF_HOME": str(folder / ".cache"),
            **environment,
        }

    def run(self, command: str, input: str = "", fails: bool = False, seconds: float = 240) -> str:
        """What a command prints.

        Raises:
            AssertionError: it fails, or does not fail where it should.
        """
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.folder,
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, f"{command}\n{said}"
        return said

    def start(self, command: str) -> subprocess.Popen[str]:
        """A command that goes on by itself."""
        return subprocess.Popen(
            shlex.split(command),
            cwd=self.folder,
            env=self.environment,
            executable=str(self.folder / ".bin" / shlex.split(command)[0]),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
