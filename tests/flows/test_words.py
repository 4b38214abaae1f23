"""Lists of plug-ins, the recipe schema, changes to recipes, progress in words."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from synthmill.flows.recipes import changed_recipe
from synthmill.flows.report_text import accepted_text, hint, next_commands, shortfall, top
from synthmill.flows.terminal.console import text
from synthmill.flows.terminal.progress_display import PlainLines, display, one_line
from synthmill.flows.terminal.rows import media_text, print_messages
from synthmill.flows.terminal.runs import print_summary
from synthmill.pipelines.load import SHIPPED
from synthmill.pipelines.progress import Preparation, Progress
from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import Message, TextPart, VideoPart, user
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.report import RunReport
from synthmill.schemas.targets import Target, Targets
from synthmill.store.home import Home
from tests.flows.conftest import Synthmill

PROGRESS = Progress(
    accepted=50,
    by_kind={"sft": 50},
    targets=Targets(200),
    rejected=30,
    failed=2,
    tasks=82,
    in_progress=8,
    prompt_tokens=9_000,
    generated_tokens=3_000,
    seconds_left=180.0,
    dollars=0.5,
    seconds=60.0,
    rejects=Counter({f"filter: reason {n}": n for n in range(1, 8)}),
    status="paused: http://x/v1 is dead, trying again in 9 s",
)


@pytest.mark.parametrize("family", ["generators", "sources", "filters", "backends"])
def test_every_plugin_has_a_line(synthmill: Synthmill, family: str) -> None:
    result = synthmill(family)
    lines = result.output.splitlines()[2:]
    assert lines and all(len(line.split()) > 2 for line in lines), result.output
    for line in lines:
        one = synthmill(family, line.split()[0])
        assert one.exit_code == 0, one.output


def test_recipe_schema_holds_the_settings_of_plugins(synthmill: Synthmill) -> None:
    schema = json.loads(synthmill("recipe", "schema").output)
    assert schema["additionalProperties"] is False
    rules = schema["$defs"]["GeneratorSpec"]["allOf"]
    cotevol = next(r["then"] for r in rules if r["if"]["properties"]["name"]["const"] == "cotevol")
    assert "rounds" in cotevol["properties"]["settings"]["properties"]
    named = set(json.dumps(schema).split('"#/$defs/')[1:])
    assert {reference.partition('"')[0] for reference in named} <= set(schema["$defs"])


def test_shipped_recipes_are_listed(synthmill: Synthmill) -> None:
    lines = synthmill("recipe", "names").output.splitlines()[2:]
    shipped = {path.stem: path for path in SHIPPED.glob("*.yaml")}
    assert {line.split()[0] for line in lines} == set(shipped)
    assert re.search(r"^cotevol-demo +cotevol-demo +cotevol *$", "\n".join(lines), re.M)


def test_changes(recipe: Path) -> None:
    def change(*changes: str) -> Recipe:
        return changed_recipe(str(recipe), changes)

    assert change() == change("seed=0")
    assert change("engine.concurrency=8").engine.concurrency == 8
    assert change("source.path=1").source.settings["path"] == "1", "a path is text"
    assert change("filters.0.on_error=accept").filters[0].on_error == "accept"
    assert change("filters=[]").filters == []
    assert change("models.default.price={completion: 2}").models["default"].price.completion == 2
    assert change("budget.tokens=null").budget.tokens is None
    assert change("seed=1", "seed=2").seed == 2


def test_reasons_beyond_the_top_are_summed() -> None:
    assert top({"a": 1, "b": 5, "c": 2, "d": 4, "e": 1}) == "b (5), d (4), c (2), others (2)"


def test_hints_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHMILL_HOME", str(tmp_path / "mine"))
    assert hint(Home(tmp_path / "mine"), "show", "a") == "synthmill show a"
    query = hint(Home("/data/my factory"), "sql", 'from "a"')
    assert query == "synthmill sql 'from \"a\"' --home '/data/my factory'"


def test_the_next_step_is_an_exporter_that_takes_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHMILL_HOME", str(tmp_path))
    home = Home(tmp_path)
    report = RunReport(
        run_id="r", recipe="r", recipe_hash="1-a", dataset="clips", generator="g@1", seed=0,
        started_at=datetime(2026, 1, 1, tzinfo=UTC), accepted=1, by_kind={"rlvr": 1},
    )  # fmt: skip
    assert next_commands(report, home)[-1] == "synthmill export clips --to trl -o clips-trl"
    (home.dataset("clips") / "media").mkdir(parents=True)
    assert next_commands(report, home)[-1] == "synthmill export clips --to verl -o clips-verl"
    both = report.model_copy(update={"by_kind": {"rlvr": 1, "sft": 1}})
    assert "--to ms_swift" in next_commands(both, home)[-1]
    assert next_commands(report.model_copy(update={"accepted": 0}), home) == ["synthmill why r"]


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ([], "no version committed"),
        ([4], "dataset clips, version 4"),
        ([4, 5, 6], "dataset clips, versions 4 to 6"),
        ([4, 6], "dataset clips, 2 of the versions 4 to 6"),
    ],
)
def test_a_run_names_its_versions(versions: list[int], said: str) -> None:
    report = RunReport(
        run_id="r", recipe="r", recipe_hash="1-a", dataset="clips", generator="g@1", seed=0,
        started_at=datetime(2026, 1, 1, tzinfo=UTC), versions=versions,
    )  # fmt: skip
    console = Console(width=100, record=True, quiet=False)
    print_summary(console, report)
    assert said in console.export_text()


def test_display_says_everything_once() -> None:
    console = Console(width=100, record=True, force_terminal=False, highlight=False)
    console.print(display("a -> b", PROGRESS))
    shown = console.export_text()
    assert "50/200 accepted (25%) about 0:03:00 left" in shown
    assert "82 emitted = 50 accepted + 30 rejected + 2 failed" in shown
    assert "9,000 prompt + 3,000 generated tokens, $0.5000" in shown
    assert "7  filter: reason 7" in shown and "3  for other reasons" in shown
    assert shown.rstrip().endswith("trying again in 9 s")


def test_a_line_says_everything() -> None:
    assert one_line(PROGRESS) == (
        "0:01:00 50/200 accepted (25%); 82 emitted = 50 accepted + 30 rejected + 2 failed; "
        "82 tasks done, 8 in progress; 9,000 prompt + 3,000 generated tokens, $0.5000; "
        "about 0:03:00 left; "
        "most rejected by filter: reason 7 (7); paused: http://x/v1 is dead, trying again in 9 s"
    )


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (None, "1,205 accepted"),
        (2000, "1,205/2,000 accepted (60%)"),
        ({"sft": 1000, "rlvr": 300}, "1,000/1,000 sft, 200/300 rlvr, 5 preference accepted (92%)"),
        ({"rlvr": 0}, "200/0 rlvr, 1,000 sft, 5 preference accepted"),
    ],
)
def test_accepted_rows_by_kind(target: Target | None, text: str) -> None:
    by_kind = {"sft": 1000, "rlvr": 200, "preference": 5}
    progress = replace(PROGRESS, targets=Targets(target), by_kind=by_kind)
    assert accepted_text(progress) == text


def test_percents_of_a_target_are_whole_and_full_only_where_it_is_met() -> None:
    for made in range(101):
        progress = replace(PROGRESS, targets=Targets(100), by_kind={"sft": made})
        assert accepted_text(progress) == f"{made}/100 accepted ({made}%)"
    near = replace(PROGRESS, targets=Targets(2000), by_kind={"sft": 1999})
    assert accepted_text(near).endswith("(99%)")


def test_a_shortfall_says_what_to_change() -> None:
    report = RunReport(
        run_id="r", recipe="r", recipe_hash="1-a", dataset="clips", generator="g@1", seed=0,
        started_at=datetime(2026, 1, 1, tzinfo=UTC), target={"sft": 9, "rlvr": 2}, accepted=6,
        stop="source exhausted", by_kind={"sft": 4, "rlvr": 2},
        rejections={"sft": {"unique_id": 7, "minhash": 3}, "rlvr": {"length": 2}},
    )  # fmt: skip
    assert shortfall(report) == [
        "short of 5 sft rows: 4 of 9 accepted, 10 rejected by unique_id (7), minhash (3)",
        "to go on: a larger source, another seed (--seed N), or a milder minhash",
    ]
    spent = report.model_copy(update={"stop": "budget spent"})
    assert shortfall(spent)[-1] == "to go on: synthmill resume r with a larger limit of the budget"
    assert shortfall(report.model_copy(update={"stop": "target met", "target": 6})) == []


def test_an_index_that_is_built_is_a_bar() -> None:
    console = Console(width=100, record=True, force_terminal=False, highlight=False)
    preparation = Preparation("passages embedded", 1500, 6000)
    console.print(display("a -> b", replace(PROGRESS, preparation=preparation)))
    shown = console.export_text()
    assert "passages embedded: 1,500 of 6,000" in shown and "━" in shown
    assert "accepted" not in shown, "nothing is made yet"


def test_lines_come_in_time_and_with_news() -> None:
    console, now = Console(width=100, record=True, quiet=False), [0.0]
    lines = PlainLines(console, "x", clock=lambda: now[0])

    def told(second: float, status: str | None) -> bool:
        now[0] = second
        before = console.export_text(clear=False).count("\n")
        lines(replace(PROGRESS, seconds=second, status=status))
        return console.export_text(clear=False).count("\n") > before

    assert told(0, None)
    assert not told(1, None)
    assert told(1.5, "paused: trying again in 9 s")
    assert not told(2.5, "paused: trying again in 8 s"), "a countdown is no news"
    assert told(3, None)
    assert not told(7, None)
    assert told(8, None)


def test_videos_are_told_in_a_few_words() -> None:
    frames = VideoPart(paths=("media/a.jpg",) * 3, mime="image/jpeg", fps=7.6923)
    parts = (TextPart(text="Clip 1: "), frames, TextPart(text="What is seen?"))
    console = Console(width=100, record=True, force_terminal=False, highlight=False)
    print_messages(
        console,
        [Message(role="user", content=parts, train=False), user("[{ plain"), user("[{" * 10**5)],
    )
    assert console.export_text()[:500].splitlines()[:5] == [
        "user (not trained on)",
        "  Clip 1: [video, 3 frames, 7.692 a second]",
        "  What is seen?",
        "user (not trained on)",
        "  [{ plain",
    ]


def test_of_many_files_a_few_are_named() -> None:
    frames = [Media(kind="image", path=f"{n}.jpg", sha256="", mime="image/jpeg") for n in range(9)]
    assert media_text(frames[:2]) == "0.jpg (image/jpeg), 1.jpg (image/jpeg)"
    assert media_text(frames) == "0.jpg (image/jpeg), 1.jpg (image/jpeg) and 7 more"


def test_text_of_models_cannot_steer_the_terminal() -> None:
    console = Console(width=60, record=True, force_terminal=True)
    console.print(text("a\x1b]0;title\x07[bold]b\x9b2J", "red"))
    both = text("a", "red") + text("b")
    assert [(span.start, span.end) for span in both.spans] == [(0, 1)], "b has no style"
    shown = console.export_text(styles=False)
    assert shown == "a\u241b]0;title\u2407[bold]b\ufffd2J\n"
