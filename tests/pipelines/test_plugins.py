"""A recipe with a generator and filters in files beside it."""

from pathlib import Path
from textwrap import dedent

import pytest

from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.run import start
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home

PLUGIN = """
    import os
    from helpers import double
    from synthmill import filter
    from synthmill.generators.base import Generator
    from synthmill.schemas.base import Settings
    from synthmill.schemas.messages import assistant, user
    from synthmill.schemas.row import Candidate
    from synthmill.sources.base import Problem

    def in_worker(text):
        return f"{double(text)} {os.getpid()}"

    class Twice(Generator[Settings]):
        name = "twice"
        item = Problem
        async def generate(self, task, context):
            said = await context.run_in_worker(in_worker, task.item.text)
            assert said.split()[1] != str(os.getpid())
            yield Candidate(
                kind="sft", messages=[user(task.item.text), assistant(said.split()[0])]
            )

    def no_bees(candidate):
        return "b" not in candidate.messages[-1].content, "has a b"

    @filter(cost="cpu")
    def no_cees(candidate):
        return "c" not in candidate.messages[-1].content
"""


@pytest.mark.parametrize("module", ["./mine.py", "mine"])
async def test_a_recipe_brings_its_own_code(home: Home, tmp_path: Path, module: str) -> None:
    folder = tmp_path / "recipe"
    folder.mkdir()
    (folder / "mine.py").write_text(dedent(PLUGIN))
    (folder / "helpers.py").write_text("def double(text): return 2 * text\n")
    texts = ("a", "b", "c", "d")
    lines = (f'{{"problem": "{text}", "answer": "1"}}\n' for text in texts)
    (folder / "problems.jsonl").write_text("".join(lines))
    (folder / "recipe.yaml").write_text(
        dedent(f"""
        name: own
        source: {{type: jsonl, path: {folder}/problems.jsonl}}
        generator: {{name: "{module}:Twice"}}
        models: {{}}
        filters: [length, "{module}:no_bees", "{module}:no_cees"]
        output: {{dataset: own}}
        """)
    )
    report = await start(read_recipe(str(folder / "recipe.yaml")), home)
    assert report.accepted == 2, report
    rows = Dataset.open(home, "own").rows(status=None)
    told = {r.messages[0].text: (r.status, r.verdicts[-1].reason) for r in rows}
    assert told == {
        "a": ("accepted", None),
        "b": ("rejected", "has a b"),
        "c": ("rejected", "no_cees returned False"),
        "d": ("accepted", None),
    }
