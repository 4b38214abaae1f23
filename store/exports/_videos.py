"""Video rows in the words of trainers: content parts become text with marks, and lists of files.

A video is the content part ``{"type": "video", "media": [0, 1, ...], "fps": 4.8}``, where `media`
are places in the row's list of media: the frames in order, or one clip.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import Message


@dataclass(frozen=True, slots=True)
class Shown:
    """A video of a row: the paths of its frames, or the one path of a clip; and its rate."""

    paths: list[str]
    frames: bool
    fps: float

    @property
    def value(self) -> list[str] | str:
        """What trainers read: a list of frames, or a path."""
        return self.paths if self.frames else self.paths[0]


def parts_of(message: Message) -> list[dict[str, Any]]:
    """The content parts of a message; plain text is one text part."""
    content = message.content or ""
    if content.startswith("[{"):
        try:
            parts = json.loads(content)
        # Thousands of open brackets, or a number of thousands of digits, are refused likewise.
        except (ValueError, RecursionError):
            parts = None
        if isinstance(parts, list) and all(isinstance(p, dict) and "type" in p for p in parts):
            return parts
    return [{"type": "text", "text": content}]


def marked_text(message: Message) -> str:
    """The text of a message with ``<video>`` where a video stands, each on a line of its own."""
    return "".join(
        "<video>\n" if part["type"] == "video" else part.get("text", "")
        for part in parts_of(message)
    )


def videos_of(messages: Sequence[Message], media: Sequence[Media], root: str) -> list[Shown]:
    """The videos of a conversation in order, with paths that start at `root`."""
    videos = []
    for message in messages:
        for part in parts_of(message):
            if part["type"] == "video":
                files = [media[place] for place in part["media"]]
                paths = [str(PurePosixPath(root) / file.path) for file in files]
                videos.append(Shown(paths, files[0].kind == "image", float(part["fps"])))
    return videos
