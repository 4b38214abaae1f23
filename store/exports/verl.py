"""Export for verl: the Parquet rows its RL dataset reads, video rows in VideoSSR's published form.

A row's `data_source` picks the scorer: the name of its reward without version, and for VideoSSR
the task alone, as `rewards/videossr.py` (a verl custom reward function) expects it.
"""

import json
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from synthmill.schemas import base
from synthmill.schemas.row import Kind, Row
from synthmill.store.exports._videos import (
    ExportedVideo,
    marked_text,
    shows_only_videos,
    videos_of,
)
from synthmill.store.exports.base import Exporter

if TYPE_CHECKING:
    from datasets import Features

# verl needs a number as index: this many hex digits of the row's id.
INDEX_DIGITS = 13


class VerlSettings(base.Settings):
    """Settings of the verl export."""

    media_root: str = Field(
        default="", description="put before media paths, which start at the dataset's folder"
    )
    max_pixels: int = Field(default=65536, description="of a frame (VideoSSR: 256x256)")
    min_pixels: int = Field(default=16384, description="of a frame (VideoSSR: 128x128)")
    ability: str = Field(default="reasoning", description="ability of rows without a video")


class VerlExporter(Exporter[VerlSettings]):
    """`rlvr` rows: parts `text`, `frames` (videos as lists of images) and `clips` (as files).

    Not expressed, and so left out: rows with tools, and rows with media other than videos.
    """

    name = "verl"
    kinds: "ClassVar[frozenset[Kind]]" = frozenset({"rlvr"})
    Settings = VerlSettings

    def part(self, row: Row) -> str:
        """`text`, `frames` or `clips`."""
        if not row.media:
            return "text"
        return "frames" if row.media[0].kind == "image" else "clips"

    def features(self, part: str) -> "Features":
        """The columns of the published rows."""
        from datasets import Features, List, Value

        text, number = Value("string"), Value("int64")
        columns: dict[str, Any] = {
            "data_source": text,
            "prompt": List({"role": text, "content": text}),
            "ability": text,
            "reward_model": {"style": text, "ground_truth": text},
            "extra_info": {
                **dict.fromkeys(("split", "answer", "question", "row_id"), text),
                "index": number,
                "strict": Value("bool"),
                "shift": Value("float64"),
            },
        }
        if part != "text":
            columns["videos"] = List(
                {
                    "video": List(text) if part == "frames" else text,
                    "sample_fps" if part == "frames" else "fps": Value("float64"),
                    "max_pixels": number,
                    "min_pixels": number,
                }
            )
            columns["extra_info"] |= {
                **dict.fromkeys(("video_id", "perturbation_type"), text),
                "sampling_fps": Value("float64"),
                **dict.fromkeys(("perturbed_frames_count", "start_frame_index"), number),
            }
        return Features(columns)

    def convert(self, row: Row) -> dict[str, Any] | None:
        """The record of a row, or None if verl cannot express it."""
        videos = videos_of(row.messages, self.settings.media_root)
        if row.tools or row.answer is None or not shows_only_videos(row.messages):
            return None
        if bool(row.media) != bool(videos):
            return None
        prompt = [{"role": m.role, "content": marked_text(m)} for m in row.messages]
        record: dict[str, Any] = {
            "data_source": data_source(row),
            "prompt": prompt,
            "ability": "video_understanding" if videos else self.settings.ability,
            "reward_model": {"style": "rule", "ground_truth": row.answer},
            "extra_info": _extra(row, prompt[-1]["content"]),
        }
        if videos:
            record["videos"] = [self._video(video) for video in videos]
            record["extra_info"] |= _video_extra(row, videos)
        return record

    def _video(self, video: ExportedVideo) -> dict[str, Any]:
        return {
            "video": video.value,
            "sample_fps" if video.frames else "fps": video.fps,
            "max_pixels": self.settings.max_pixels,
            "min_pixels": self.settings.min_pixels,
        }


def data_source(row: Row) -> str:
    """The name by which the trainer's reward function selects the scorer."""
    return (row.reward or row.generator).partition("@")[0].removeprefix("videossr.")


def reward_args(row: Row) -> dict[str, Any]:
    """`strict` and `shift` for the scorer, None where the row has none."""
    args = json.loads(row.reward_args or "{}")
    return {"strict": args.get("strict"), "shift": args.get("shift")}


def _extra(row: Row, question: str) -> dict[str, Any]:
    return {
        "split": row.split,
        "index": int(row.id[:INDEX_DIGITS], 16),
        "row_id": row.id,
        "answer": row.answer,
        "question": question,
        **reward_args(row),
    }


def _video_extra(row: Row, videos: list[ExportedVideo]) -> dict[str, Any]:
    sample = json.loads(row.detail).get("sample") or {}
    return {
        "video_id": row.task_key,
        "sampling_fps": videos[0].fps,
        "perturbation_type": sample.get("perturbation"),
        "perturbed_frames_count": sample.get("length"),
        "start_frame_index": sample.get("first"),
    }
