"""A real, very small instruct model on one short document: every prompt goes over the wire.

SmolLM2-135M finds nothing worth asking; what counts is that each row says why.
"""

from pathlib import Path

from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.run import start
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.models.test_llama_cpp import pytestmark as needs_the_model
from tests.models.test_llama_cpp import spec

pytestmark = [mark for mark in needs_the_model if mark.name in ("skipif", "timeout")]

DOCUMENT = """# Rivers

The Osk is the only river that freezes.

| River | Length (km) |
|---|---|
| Osk | 80 |
| Velm | 64 |

# Gauges

| River | Gauges |
|---|---|
| Osk | 12 |
| Velm | 5 |
"""


async def test_docdancer_runs_end_to_end(tmp_path: Path) -> None:
    (tmp_path / "rivers.md").write_text(DOCUMENT, encoding="utf-8")
    shipped = read_recipe("docdancer")
    short = {"temperature": 0, "max_tokens": 40}
    settings = {
        "tools": {"sampling": short},
        "exploration": {"depth": 1, "tries": 1, "sampling": short},
        "questions": {
            "per_document": 1,
            "attempts": 1,
            "sampling": {"temperature": 0, "max_tokens": 60},
        },
        "rollouts": {
            "protocol": "text",
            "samples": 1,
            "sampling": short,
            "limits": {"max_turns": 2},
        },
    }
    recipe = shipped.model_copy(
        update={
            "source": shipped.source.model_copy(update={"path": str(tmp_path / "rivers.md")}),
            "generator": shipped.generator.model_copy(update={"settings": settings}),
            "models": {"default": spec(context=4096)},
            "target": None,
        }
    )
    report = await start(recipe, Home(tmp_path / "home"))
    assert report.stop == "source exhausted" and report.emitted >= 1 and not report.failed
    assert {"explore_document", "write_question"} <= set(report.usage)
    rows = list(Dataset.open(Home(tmp_path / "home"), "docdancer").rows(status=None))
    assert all(v.reason for row in rows for v in row.verdicts if v.status == "fail")
