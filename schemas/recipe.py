"""The recipe: one YAML file that says what to make, from what, with which models and filters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, PrivateAttr, field_validator, model_validator

from synthmill.schemas.base import Record
from synthmill.schemas.errors import Location
from synthmill.schemas.lineage import storable
from synthmill.schemas.targets import MOST, Target, checked_target

RECIPE_VERSION = 1
BY_PATH = "by path"  # the type of a source that follows from its path
NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"


class RecipePart(Record):
    """A part of a recipe; its numbers are finite."""

    model_config = ConfigDict(allow_inf_nan=False)


class PlugInSpec(RecipePart):
    """A plug-in and its settings; the plug-in's own `Settings` model checks them.

    A bare name stands for a plug-in with its default settings, and in Python also a function or a
    class at the top of a module.
    """

    name: str = Field(
        description="built-in or installed name, package.module:Name or ./file.py:Name"
    )
    settings: dict[str, Any] = Field(default={}, description="the plug-in's own settings")

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        named = isinstance(given, str) or callable(given)
        return _placed({"name": given} if named else given, "name")


def _placed(given: Any, key: str) -> Any:
    """A mapping in which a class or function at `key` is replaced by the place of its code."""
    plugin = given.get(key) if isinstance(given, Mapping) else None
    if not callable(plugin) or not hasattr(plugin, "__qualname__"):
        return given
    return {**given, key: f"{plugin.__module__}:{plugin.__qualname__}"}


class SourceSpec(RecipePart):
    """Where the work items come from: `type` names the source, the other keys are its settings.

    A text stands for a path, or for a source that needs no settings: its name, `./file.py:Name`,
    in Python also the class.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str = Field(
        default=BY_PATH,
        description="jsonl, csv, parquet, folder, datasets, reasoning_gym ...; by default what "
        "`path` is and the generator works on",
    )

    @model_validator(mode="before")
    @classmethod
    def _of_path(cls, given: Any) -> Any:
        if isinstance(given, str | Path):
            return {"path": str(given)}
        return _placed({"type": given} if callable(given) else given, "type")

    @property
    def settings(self) -> dict[str, Any]:
        """The keys beside `type`."""
        return dict(self.model_extra or {})


class Price(RecipePart):
    """Dollars for a million tokens."""

    prompt: float = Field(default=0.0, ge=0, description="dollars per million prompt tokens")
    completion: float = Field(default=0.0, ge=0, description="dollars per million generated tokens")
    cached: float | None = Field(
        default=None,
        ge=0,
        description="dollars per million prompt tokens from the server's prompt cache; "
        "default as `prompt`",
    )


class ModelSpec(RecipePart):
    """One model role: `backend` names the back end, `settings` are the back end's own."""

    backend: str = Field(default="embedded", description="embedded, openai, vllm or llama_cpp")
    model: str = Field(default="synthmill-lm", description="the model's name at its server")
    name: str | None = Field(
        default=None,
        description="the model's name in rows and cache keys, where a server calls it by a path",
    )
    settings: dict[str, Any] = Field(default={}, description="the back end's own settings")
    price: Price | None = Field(
        default=None,
        description="default: the list price where the model is a known hosted one, "
        "nothing for models on this machine",
    )


class FilterSpec(PlugInSpec):
    """A filter, and what happens to a candidate when the filter cannot decide."""

    enabled: bool = Field(
        default=True, description="false leaves out a filter that the generator runs by default"
    )

    on_error: Literal["reject", "accept", "fail"] = Field(
        default="reject",
        description="when the filter could not decide: reject the row, let it pass or stop the run",
    )


class GeneratorSpec(PlugInSpec):
    """A generator; the last two keys concern generators whose tasks depend on earlier outcomes."""

    feedback_lag: int = Field(
        default=64,
        ge=1,
        description="task i sees the outcomes up to task i - feedback_lag; so many tasks are in "
        "progress at most",
    )
    continue_state: bool = Field(
        default=False, description="start from the dataset's newest state instead of an empty one"
    )


class Budget(RecipePart):
    """Upper bounds of a run; what is not given is not bounded."""

    candidates: int | None = Field(default=None, gt=0, le=MOST, description="emitted candidates")
    tokens: int | None = Field(
        default=None, gt=0, le=MOST, description="prompt plus generated tokens"
    )
    dollars: float | None = Field(default=None, gt=0)
    minutes: float | None = Field(default=None, gt=0)


class OutputSpec(RecipePart):
    """The dataset that is written, and its splits."""

    dataset: str = Field(pattern=NAME_PATTERN, description="lower case letters, digits, - and _")
    splits: dict[str, float] = Field(
        default={"train": 0.95, "test": 0.05},
        description="share of task keys in each split; shares add up to 1",
    )

    @model_validator(mode="after")
    def _shares_add_up(self) -> "OutputSpec":
        if any(share < 0 for share in self.splits.values()):
            raise ValueError("the share of a split is 0 or more")
        if not self.splits or abs(sum(self.splits.values()) - 1) > 1e-9:
            raise ValueError(f"the shares of splits add up to {sum(self.splits.values()):g}, not 1")
        return self


class EngineSettings(RecipePart):
    """How a run is executed; no setting changes the rows."""

    concurrency: int = Field(
        default=64, ge=1, le=1_000_000, description="tasks in progress at once"
    )
    batch_rows: int = Field(
        default=2000, ge=1, le=MOST, description="rows that a commit holds at most"
    )
    batch_seconds: float = Field(default=30.0, gt=0, description="time between commits at most")
    workers: int = Field(default=2, ge=1, le=1024, description="processes for CPU-heavy work")
    give_up_after_minutes: float = Field(
        default=5.0, ge=0, description="how long to wait for a dead model server before stopping"
    )


@dataclass(frozen=True, slots=True)
class RecipeText:
    """Where a recipe was written: its file, the line of each key, and the keys changed since."""

    name: str
    lines: Mapping[Location, int] = field(default_factory=dict)
    changed: tuple[Location, ...] = ()

    def place(self, location: Location) -> str:
        """`file:line` of the deepest key on the way to a location, or the change that set it."""
        keys = tuple(map(str, location))
        for change in self.changed:
            if keys[: len(change)] == change[: len(keys)]:
                return f"{self.name} with {'.'.join(map(str, change))}"
        line = self.line(location)
        return f"{self.name}:{line}" if line else self.name

    def line(self, location: Location) -> int:
        """The line of the deepest key on the way to a location; 0 where none is known."""
        known = (self.lines.get(tuple(location[:end])) for end in range(len(location), 0, -1))
        return next(filter(None, known), 0)


class Recipe(RecipePart):
    """Everything a run needs."""

    recipe: Literal[1] = Field(default=1, description="version of the recipe format")
    name: str = Field(pattern=NAME_PATTERN)
    seed: int = 0
    source: SourceSpec | None = Field(
        default=None, description="where the work items come from; some generators need none"
    )
    generator: GeneratorSpec
    models: dict[str, ModelSpec] = Field(
        default={"default": ModelSpec()},
        description="model roles; a role that is not listed falls back to `default`",
    )
    filters: list[FilterSpec] = []
    target: Target | None = Field(
        default=None,
        description="accepted rows to make: a number, or numbers by kind such as {sft: 100, "
        "rlvr: 50}; kinds that are not named are not bounded, 0 means none",
    )
    budget: Budget = Budget()
    output: OutputSpec
    engine: EngineSettings = EngineSettings()
    folder: Path | None = Field(
        default=None,
        description="where plug-ins given as ./file.py:name or module:name lie; by default the "
        "folder of the recipe's file",
    )
    _text: RecipeText | None = PrivateAttr(default=None)

    @property
    def text(self) -> RecipeText:
        """Where it was written."""
        return self._text or RecipeText(f"recipe {self.name!r}")

    def written_in(self, text: RecipeText) -> "Recipe":
        """The recipe, which remembers where it was written."""
        copy = self.model_copy()
        copy._text = text
        return copy

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, wherever they were written."""
        return isinstance(other, Recipe) and self.model_dump() == other.model_dump()

    @field_validator("target", mode="before")
    @classmethod
    def _target(cls, given: Any) -> Target | None:
        return checked_target(given)

    @model_validator(mode="after")
    def _is_text(self) -> "Recipe":
        """Rows, logs and hashes hold Unicode, and no path holds a NUL."""
        for place, text in _texts(self.model_dump(mode="python", exclude={"folder"})):
            if "\0" in text or storable(text) != text:
                where = storable(place)
                raise ValueError(f"{where}: {text!r:.60} is no text: NUL or half a character")
        return self


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """The texts in nested lists and mappings, keys among them, each with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key, f"{place}.{key}".removeprefix("."))
            yield from _texts(inner, f"{place}.{key}".removeprefix("."))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{place}.{number}")
