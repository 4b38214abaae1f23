"""Export for ms-swift: `messages` with tags, lists of videos, `solution` for GRPO rewards."""

from typing import TYPE_CHECKING, Any

from pydantic import Field

from synthmill.schemas import base
from synthmill.schemas.messages import Message
from synthmill.schemas.row import Kind, Row
from synthmill.store.exports._videos import marked_text, shows_only_videos, videos_of
from synthmill.store.exports.base import Exporter, FileFormat
from synthmill.store.exports.verl import data_source, reward_args

if TYPE_CHECKING:
    from datasets import Features

PARTS: dict[Kind, str] = {"sft": "sft", "preference": "dpo", "rlvr": "grpo"}


class MsSwiftSettings(base.Settings):
    """Settings of the ms-swift export."""

    media_root: str = Field(
        default="", description="put before media paths, which start at the dataset's folder"
    )
    format: FileFormat = Field(default="jsonl", description="jsonl, or parquet")


class MsSwiftExporter(Exporter[MsSwiftSettings]):
    """`sft`, `preference` as `rejected_response`, `rlvr` with `solution`; videos for all of them.

    A video is a list of frames, or a path; the parts of video rows end in `_frames` or `_clips`.
    Extra columns (`data_source`, `extra_info`) reach reward functions such as VideoSSR's
    `trl_reward`. Not expressed, and so left out: rows with tools, preferences whose answers are
    more than one turn, rows with media other than videos.
    """

    name = "ms_swift"
    kinds = frozenset(PARTS)
    Settings = MsSwiftSettings

    def part(self, row: Row) -> str:
        """`sft`, `dpo` or `grpo`, with `_frames` or `_clips` where there are videos."""
        if not row.media:
            return PARTS[row.kind]
        return PARTS[row.kind] + ("_frames" if row.media[0].kind == "image" else "_clips")

    def features(self, part: str) -> "Features":
        """Messages, and the columns of the kind of row."""
        from datasets import Features, List, Value

        text = Value("string")
        shape, _, media = part.partition("_")
        columns: dict[str, Any] = {"messages": List({"role": text, "content": text})}
        if media:
            columns["videos"] = List(List(text) if media == "frames" else text)
        if shape == "dpo":
            columns["rejected_response"] = text
        if shape == "grpo":
            columns |= dict.fromkeys(("solution", "data_source"), text)
            columns["extra_info"] = {"strict": Value("bool"), "shift": Value("float64")}
            if media:
                columns["fps"] = Value("float64")
        return Features(columns)

    def convert(self, row: Row) -> dict[str, Any] | None:
        """The record of a row, or None if ms-swift's standard form cannot express it."""
        turns = [*row.messages, *row.chosen]
        videos = videos_of(turns, self.settings.media_root)
        said = (*turns, *row.rejected)
        if row.tools or any(m.tool_calls or m.role == "tool" for m in said):
            return None
        if not shows_only_videos(said) or bool(row.media) != bool(videos):
            return None
        record: dict[str, Any] = {"messages": [_message(m) for m in turns]}
        if videos:
            record["videos"] = [video.value for video in videos]
        if row.kind == "preference":
            if len(row.chosen) != 1 or len(row.rejected) != 1:
                return None
            record["rejected_response"] = _message(row.rejected[0])["content"]
        if row.kind == "rlvr":
            record |= {"solution": row.answer, "data_source": data_source(row)}
            record["extra_info"] = reward_args(row)
            record |= {"fps": videos[0].fps} if videos else {}
        return record


def _message(message: Message) -> dict[str, str]:
    thought = f"<think>\n{message.reasoning}\n</think>\n\n" if message.reasoning else ""
    return {"role": message.role, "content": thought + marked_text(message)}
