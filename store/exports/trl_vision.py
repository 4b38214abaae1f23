"""Export of video rows for TRL's GRPOTrainer: each frame is an image part of the prompt.

TRL reads images, not videos, so rows must be generated with frames instead of clips.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from synthmill.schemas import base
from synthmill.schemas.messages import Message, TextPart, VideoPart
from synthmill.schemas.row import Kind, Row
from synthmill.store.exports._videos import videos_of
from synthmill.store.exports.base import Exporter
from synthmill.store.exports.verl import data_source, reward_args

if TYPE_CHECKING:
    from datasets import Features


class TrlVisionSettings(base.Settings):
    """Settings of the export."""

    media_root: str = Field(
        default="", description="put before media paths, which start at the dataset's folder"
    )


class TrlVisionExporter(Exporter[TrlVisionSettings]):
    """`rlvr` rows whose videos are frames. Not expressed, and so left out: all others.

    The columns `data_source`, `ground_truth` and `extra_info` reach a reward function such as
    VideoSSR's `trl_reward`.
    """

    name = "trl_vision"
    kinds: "ClassVar[frozenset[Kind]]" = frozenset({"rlvr"})
    Settings = TrlVisionSettings

    def part(self, row: Row) -> str:
        """All rows have one shape."""
        return "grpo"

    def features(self, part: str) -> "Features":
        """The prompt, its images, and the arguments of reward functions."""
        from datasets import Features, Image, List, Value

        text = Value("string")
        return Features(
            {
                "prompt": List({"role": text, "content": List({"type": text, "text": text})}),
                "images": List(Image()),
                "data_source": text,
                "ground_truth": text,
                "extra_info": {"strict": Value("bool"), "shift": Value("float64")},
            }
        )

    def convert(self, row: Row) -> dict[str, Any] | None:
        """The record of a row, or None where it has no frames."""
        videos = videos_of(row.messages, self.settings.media_root)
        if not videos or not all(video.frames for video in videos):
            return None
        return {
            "prompt": [{"role": m.role, "content": _content(m)} for m in row.messages],
            "images": [{"path": path, "bytes": None} for video in videos for path in video.paths],
            "data_source": data_source(row),
            "ground_truth": row.answer,
            "extra_info": reward_args(row),
        }


def _content(message: Message) -> list[dict[str, str | None]]:
    """The parts of a message; every frame of a video is one image part."""
    parts: list[dict[str, str | None]] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            parts.append({"type": "text", "text": part.text})
        elif isinstance(part, VideoPart):
            parts += [{"type": "image", "text": None} for _ in part.paths]
    return parts
