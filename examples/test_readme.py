"""The commands of the page about the examples."""

from pathlib import Path

from tests.pages import ROOT, Shell, inline


def test_its_commands_work(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    asked = [c for c in inline(ROOT / "examples" / "README.md") if c.startswith("synthmill ")]
    assert len(asked) == 4
    for command in asked:
        shell.run(command)
    assert (tmp_path / "cards" / "rows" / "train.jsonl").is_file()
