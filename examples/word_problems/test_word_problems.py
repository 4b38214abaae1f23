import json
import re
from pathlib import Path
from typing import Any

from synthmill.testing import Faults, ScriptedServer, run_recipe

HERE = Path(__file__).parent


def test_it_runs_without_a_model(tmp_path: Path) -> None:
    result = run_recipe(HERE / "recipe.yaml", tmp_path, target=5)
    assert result.report.stop == "target met" and len(result.accepted) == 5
    for row in result.accepted:
        assert row.messages[1].text.endswith(rf"\boxed{{{row.answer}}}.")


def speak(body: dict[str, Any], seed: int) -> str:
    """What the server answers: problems as JSON; solutions of which every second is wrong."""
    text = body["messages"][-1]["content"]
    if "Write a short word problem" in text:
        topic = re.search(r"about (\w+)", text)
        assert topic
        return json.dumps({"question": f"What is 2 plus 5 {topic[1]}?", "answer": 7})
    return rf"It is \boxed{{{7 + seed % 2}}}."


def test_it_runs_on_a_server(tmp_path: Path) -> None:
    with ScriptedServer(speak, faults=Faults(share=0.2, kinds=("429", "500"))) as server:
        spec = {"backend": "openai", "model": "scripted", "settings": {"base_url": server.url}}
        result = run_recipe(HERE / "recipe.yaml", tmp_path, models={"default": spec})
    assert result.report.tasks == 12 and result.report.failed == 0
    assert {row.model for row in result.accepted} == {"scripted"}
    for row in result.accepted:
        assert row.messages[1].text == r"It is \boxed{7}."
    for row in result.rejected:  # all its solutions were wrong
        assert row.verdicts[-1].filter == "answer_equivalence"
    assert len(result.accepted) > len(result.rejected)
    asked = [body for body in server.bodies if "Write" in body["messages"][-1]["content"]]
    assert all("question" in json.dumps(body["response_format"]) for body in asked)
