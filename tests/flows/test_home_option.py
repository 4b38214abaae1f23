"""`--home` is honored by every generator, and a preview leaves nothing behind but its cache."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from synthmill.flows.cli import main
from synthmill.sources.video.demo import render
from tests.test_rooms import MAY_IMPORT, ROOT


@pytest.mark.parametrize("recipe", ["cotevol-demo", "ragshaper", "videossr"])
@pytest.mark.parametrize("command", ["preview", "run"])
def test_all_is_written_to_the_home_that_is_given(
    recipe: str,
    command: str,
    tmp_path: Path,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SYNTHMILL_HOME")
    here, home = tmp_path / "here", tmp_path / "other"
    here.mkdir()
    monkeypatch.chdir(here)
    arguments = [command, recipe, "--home", str(home)]
    if recipe == "videossr":
        render(tmp_path / "videos", 2, 192, 144)
        arguments += ["--source", str(tmp_path / "videos")]
    if command == "run":
        arguments += ["--target", "2"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert not list(here.iterdir())
    left = {path.name for path in home.iterdir()}
    assert left == {"cache"} if command == "preview" else left > {"cache", "datasets", "runs"}


def test_only_the_home_reads_its_variable() -> None:
    modules = [path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py")]
    names = {
        str(path.relative_to(ROOT))
        for path in modules
        if '"SYNTHMILL_HOME"' in path.read_text(encoding="utf-8")
    }
    assert names == {"store/home.py"}
