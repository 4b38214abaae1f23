"""A benchmark like VIUBench: nine sub-types, an exact number of accepted questions of each."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, field_validator

from synthmill.generators.base import Context, FeedbackGenerator, Resources, Task, TaskOutcome
from synthmill.generators.videossr.generator import Videossr, VideoTask
from synthmill.generators.videossr.settings import (
    VIUBENCH,
    SubType,
    VideoSampling,
    VideossrSettings,
    parse_sub_type,
)
from synthmill.schemas.base import Record
from synthmill.sources.base import Source


class ViubenchSettings(VideossrSettings):
    """Settings of the benchmark; defaults that differ from training are the paper's evaluation."""

    counts: dict[str, int] = Field(
        default={name: round(count) for name, count in VIUBENCH.items()},
        description="accepted questions of each sub-type",
    )
    sampling: VideoSampling = VideoSampling(max_pixels=512 * 512)
    strict: list[Any] = Field(
        default=["counting", "jigsaw"], description="VIUBench scores grounding by mean IoU"
    )

    @field_validator("counts")
    @classmethod
    def _sub_types(cls, counts: dict[str, int]) -> dict[str, int]:
        return {str(parse_sub_type(name)): count for name, count in counts.items()}

    @property
    def weights(self) -> dict[SubType, float]:
        """The sub-types to count, weighted by their counts; the mix is not used."""
        return {parse_sub_type(name): float(count) for name, count in self.counts.items()}


class BenchmarkState(Record):
    """Accepted questions of each sub-type, and the plans of tasks without an outcome.

    `planned` begins with task `done`: the position of its item in the source and the sub-types
    that it is asked for, or None where no task is needed. No more questions of a sub-type are
    planned than are missing. `items` counts the items that were planned for.
    """

    accepted: dict[str, int] = {}
    planned: tuple[tuple[int, tuple[str, ...]] | None, ...] = ()
    done: int = 0
    items: int = 0


class Viubench(FeedbackGenerator[ViubenchSettings, BenchmarkState], Videossr):
    """Makes of each video every sub-type of which questions are missing, until none is missing.

    A video gives at most one question of a sub-type. Made from the held-out part of a source
    (`part: held_out`), it shares no video with a training set made from the rest.
    """

    name: ClassVar[str] = "viubench"

    async def prepare(self, source: Source, resources: Resources) -> None:
        """Open the source; videos are read as tasks need them."""
        self._unread = Videossr.tasks(self, source)
        self._read: list[Task] = []

    async def next_task(self, index: int, state: BenchmarkState, context: Context) -> Task | None:
        """The planned video, with the sub-types of which questions are missing."""
        plan = self._planned(state, index + 1).planned[index - state.done]
        if plan is None:
            return None
        position, wanted = plan
        while len(self._read) <= position and (task := next(self._unread, None)) is not None:
            self._read.append(task)
        if position >= len(self._read):
            return None
        task = self._read[position]
        if isinstance(task.item, VideoTask):
            return replace(task, item=task.item.model_copy(update={"wanted": wanted}))
        return task

    def update_state(self, state: BenchmarkState, outcome: TaskOutcome) -> BenchmarkState:
        """Count what was accepted, and plan one task more."""
        accepted = Counter(state.accepted)
        accepted.update(
            json.loads(row.detail)["sub_type"] for row in outcome.rows if row.status == "accepted"
        )
        # What the tasks before the next one see was planned without this outcome.
        state, settled = self._planned(state, outcome.index + self.lag), outcome.index + 1
        update = {
            "accepted": dict(accepted),
            "planned": state.planned[settled - state.done :],
            "done": settled,
        }
        return state.model_copy(update=update)

    def _planned(self, state: BenchmarkState, until: int) -> BenchmarkState:
        """The state with plans for all tasks before the index `until`."""
        planned, items = list(state.planned), state.items
        missing = Counter(self.settings.counts)
        missing.subtract(state.accepted)
        for plan in planned:
            missing.subtract(plan[1] if plan else ())
        while state.done + len(planned) < until:
            wanted = tuple(name for name, count in missing.items() if count > 0)
            planned.append((items, wanted) if wanted else None)
            items += bool(wanted)
            missing.subtract(wanted)
        return state.model_copy(update={"planned": tuple(planned), "items": items})
