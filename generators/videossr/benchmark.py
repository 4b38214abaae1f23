"""A benchmark like VIUBench: nine sub-types, an exact number of accepted questions of each."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, ClassVar

from pydantic import Field, field_validator

from synthmill.generators.base import Outcome, Task
from synthmill.generators.videossr.generator import Clue, Videossr
from synthmill.generators.videossr.mixes import VIUBENCH, SubType, parse_sub_type
from synthmill.generators.videossr.settings import Sampling, VideossrSettings
from synthmill.schemas.base import Record
from synthmill.sources.base import Source

ROUND = 64  # ours: videos between two commits


class ViubenchSettings(VideossrSettings):
    """Settings of the benchmark; what differs from training is the paper's evaluation."""

    counts: dict[str, int] = Field(
        default={name: round(count) for name, count in VIUBENCH.items()},
        description="accepted questions of each sub-type",
    )
    sampling: Sampling = Sampling(max_pixels=512 * 512)
    strict: list[Any] = Field(
        default=["counting", "jigsaw"], description="VIUBench scores grounding by mean IoU"
    )

    @field_validator("counts")
    @classmethod
    def _sub_types(cls, counts: dict[str, int]) -> dict[str, int]:
        return {str(parse_sub_type(name)): count for name, count in counts.items()}

    @property
    def weights(self) -> dict[SubType, float]:
        """The sub-types counted, by their counts; the mix has no say here."""
        return {parse_sub_type(name): float(count) for name, count in self.counts.items()}


class Progress(Record):
    """The state between rounds: items of the source used up, and accepted questions so far."""

    used: int = 0
    accepted: dict[str, int] = {}


class Viubench(Videossr):
    """Asks each video for every sub-type that is still short, until none is.

    A video gives at most one question of a sub-type. Made from the held-out part of a source
    (`part: held_out`), it shares no video with a training set made from the rest.
    """

    name: ClassVar[str] = "viubench"
    Settings = ViubenchSettings
    settings: ViubenchSettings

    def tasks(self, source: Source, state: str | None) -> Iterator[Task]:
        """The next videos, each with the sub-types that would otherwise stay short."""
        progress = _progress(state)
        short = self._short(progress)
        wanted_videos = min(ROUND, max(short.values(), default=0))
        tasks = islice(super().tasks(source, state), progress.used, None)
        place = 0
        while place < wanted_videos and (task := next(tasks, None)) is not None:
            if isinstance(task.item, Clue):
                wanted = tuple(name for name, missing in short.items() if missing > place)
                task = replace(task, item=task.item.model_copy(update={"wanted": wanted}))
                place += 1
            yield task

    def observe(self, outcomes: Iterable[Outcome], state: str | None) -> str | None:
        """Count what was accepted."""
        progress = _progress(state)
        accepted = Counter(progress.accepted)
        used = progress.used
        for outcome in outcomes:
            used += 1
            accepted.update(
                json.loads(row.detail)["sub_type"]
                for row in outcome.rows
                if row.status == "accepted"
            )
        return Progress(used=used, accepted=dict(accepted)).model_dump_json()

    def _short(self, progress: Progress) -> dict[str, int]:
        missing = {
            name: count - progress.accepted.get(name, 0)
            for name, count in self.settings.counts.items()
        }
        return {name: count for name, count in missing.items() if count > 0}


def _progress(state: str | None) -> Progress:
    return Progress.model_validate_json(state) if state else Progress()
