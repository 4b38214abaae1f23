"""What docs/filters.md shows and lists is true."""

import re
from pathlib import Path
from typing import Any

import yaml

from synthmill.filters.base import Filter
from synthmill.filters.functions import filter_class
from synthmill.filters.load import PACKAGES, filter_named
from synthmill.rewards import FILES
from synthmill.schemas.plugins import available
from tests.filters.candidates import sft, told

PAGE = (Path(__file__).parents[2] / "docs" / "filters.md").read_text(encoding="utf-8")


def test_its_code_runs() -> None:
    function, rewards = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(function, names)
    found = filter_class(names["no_apologies"])()
    assert told(found, sft("I apologize.")) == ("fail", "apologizes")
    exec(rewards, {})


def test_its_recipe_names_real_filters_and_settings() -> None:
    (recipe,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for entry in yaml.safe_load(recipe)["filters"]:
        name, given = (
            (entry, {}) if isinstance(entry, str) else (entry["name"], entry.get("settings", {}))
        )
        if not name.startswith("./"):
            filter_named(name).Settings.model_validate(given)


def test_every_filter_and_reward_is_listed() -> None:
    for name in available(Filter, PACKAGES):  # those of a generator are on its page
        assert re.search(rf"^\| `{name}` \|", PAGE, re.MULTILINE), name
    for reward, file in FILES.items():
        assert f"rewards/{file}.py" in PAGE and reward.partition(".")[2] in PAGE
