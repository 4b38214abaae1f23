"""Export of page annotations as MinerU2.5-Pro's three training mixes, for vision trainers.

The mixes are those of arXiv 2604.04771, section 4: stage 1 has the easy and medium labels, stage 2
the hard ones with a replay of stage 1, stage 3 the hard ones for reinforcement learning. A hard row
has a label where it was refined or corrected; without such rows stages 2 and 3 are empty.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from synthmill.schemas import base
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.messages import ImagePart, Message, TextPart
from synthmill.schemas.row import Kind, Row
from synthmill.store.exports.base import Exporter, FileFormat

if TYPE_CHECKING:
    from datasets import Features

# Table 1: replayed rows of stage 1 for each hard row (layout 6:1, text 1:50, formula 1:25,
# table 1:10).
REPLAY = {"layout": 1 / 6, "text": 50.0, "formula": 25.0, "table": 10.0}
HARD = 1.0  # the difficulty of hard rows


class MineruSettings(base.Settings):
    """Settings of the export."""

    media_root: str = Field(
        default="", description="put before image paths, which start at the dataset's folder"
    )
    replay: dict[str, float] = Field(
        default=REPLAY, description="rows of stage 1 for each hard row of stage 2, by sub-task"
    )
    format: FileFormat = Field(default="jsonl", description="jsonl, or parquet")


class MineruExporter(Exporter[MineruSettings]):
    """`annotation` rows with a label, as `messages` with ``<image>`` tags and `images`.

    The form is read by ms-swift and LLaMA-Factory. Stage 3 has `solution` and `data_source` in
    place of the answer, for the rewards `document.*`. Rows without an image or an answer are left
    out. The rows of stage 1 are kept in memory until the number of hard rows is known.
    """

    name = "mineru"
    kinds: "ClassVar[frozenset[Kind]]" = frozenset({"annotation"})
    Settings = MineruSettings

    def part(self, row: Row) -> str:
        """The stage that a row belongs to by itself."""
        return "stage2" if row.difficulty == HARD else "stage1"

    def select(self, rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
        """Stage 1 and the hard rows as they come, then the replay: by content, not by chance."""
        hard: dict[str, int] = {}
        replay: dict[str, list[Row]] = {}
        for row in rows:
            yield self.part(row), row
            if not _labeled(row):
                continue
            task = task_of(row)
            if row.difficulty == HARD:
                hard[task] = hard.get(task, 0) + 1
                asked = [message for message in row.messages if message.role != "assistant"]
                yield "stage3", row.model_copy(update={"messages": asked})
            else:
                replay.setdefault(task, []).append(row)
        for task, count in sorted(hard.items()):
            wanted = round(count * self.settings.replay.get(task, 0.0))
            for row in sorted(replay.get(task, []), key=_draw)[:wanted]:
                yield "stage2", row

    def features(self, part: str) -> "Features":
        """Messages and images; the reward's columns in stage 3."""
        from datasets import Features, List, Value

        text = Value("string")
        columns: dict[str, Any] = {
            "messages": List({"role": text, "content": text}),
            "images": List(text),
            "task": text,
            "difficulty": Value("float64"),
        }
        if part == "stage3":
            columns |= {"solution": text, "data_source": text}
        return Features(columns)

    def convert(self, row: Row) -> dict[str, Any] | None:
        """The record of a row; one without its answer as a turn is for stage 3."""
        if not _labeled(row):
            return None
        root = self.settings.media_root
        record: dict[str, Any] = {
            "messages": [{"role": m.role, "content": _tagged(m)} for m in row.messages],
            "images": [root + path for m in row.messages for path in m.media_paths],
            "task": task_of(row),
            "difficulty": row.difficulty,
        }
        if row.messages[-1].role != "assistant":
            record |= {"solution": row.answer, "data_source": (row.reward or "").partition("@")[0]}
        return record


def task_of(row: Row) -> str:
    """The sub-task of a row: layout, text, formula or table."""
    return (row.reward or "").partition("@")[0].removeprefix("document.")


def _labeled(row: Row) -> bool:
    return row.answer is not None and bool(row.media) and (row.reward or "").startswith("document.")


def _draw(row: Row) -> int:
    return keyed_seed("replay", row.id)


def _tagged(message: Message) -> str:
    return "".join(
        "<image>" if isinstance(part, ImagePart) else part.text
        for part in message.parts
        if isinstance(part, ImagePart | TextPart)
    )
