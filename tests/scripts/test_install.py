"""What the installer says while pip works, on pip's own words."""

import subprocess
import sys
from pathlib import Path

from scripts.install import steps

ROOT = Path(__file__).parents[2]
PIP = """Obtaining file:///synthmill
  Installing build dependencies: started
Collecting aiohttp>=3.12 (from synthmill==0.2.0)
  Downloading aiohttp-3.12.1-cp311-cp311-manylinux_2_17_x86_64.whl (1.7 MB)
Requirement already satisfied: click>=8.2 in ./lib (from synthmill==0.2.0)
Collecting ray-core.extra
  Using cached ray_core.extra-2.1.0-py3-none-any.whl.metadata (1.2 kB)
Installing collected packages: a, b, c
Successfully installed a-1 b-2 c-3
"""


def test_each_step_is_told_in_a_few_words() -> None:
    assert list(steps(PIP.splitlines(keepends=True))) == [
        "1 packages found, aiohttp",
        "1 packages found, fetching aiohttp (1.7 MB)",
        "2 packages found, click",
        "3 packages found, ray-core.extra",
        "3 packages found, fetching ray_core.extra (1.2 kB)",
        "unpacking 3 packages, the longest part",
    ]


def test_a_failure_shows_what_pip_said(tmp_path: Path) -> None:
    script = tmp_path / "scripts" / "install.py"
    script.parent.mkdir()
    script.write_text((ROOT / "scripts" / "install.py").read_text())
    (tmp_path / "pyproject.toml").write_text("this is no TOML")
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode != 0
    assert "TOMLDecodeError" in done.stdout and "Installed in" not in done.stdout
