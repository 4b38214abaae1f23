"""Video rows in the form of trainers: content parts become text with marks, and lists of files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from synthmill.schemas.messages import ImagePart, Message, TextPart, VideoPart

# Trainers replace these marks in the text of a message by the row's files, in order.
_MARK = re.compile(r"<(image|video|audio)>")


@dataclass(frozen=True, slots=True)
class ExportedVideo:
    """A video of a row: the paths of its frames, or the one path of a clip; and its rate."""

    paths: list[str]
    frames: bool
    fps: float | None

    @property
    def value(self) -> list[str] | str:
        """The form that trainers read: a list of frames, or a path."""
        return self.paths if self.frames else self.paths[0]


def marked_text(message: Message) -> str:
    """The text of a message with ``<video>`` in place of each video, on a line of its own."""
    return "".join(
        part.text if isinstance(part, TextPart) else f"<{part.type}>\n" for part in message.parts
    )


def videos_of(messages: Sequence[Message], root: str) -> list[ExportedVideo]:
    """The videos of a conversation in order, with paths that start at `root`."""
    return [
        ExportedVideo(
            [str(PurePosixPath(root) / path) for path in part.paths], part.has_frames, part.fps
        )
        for message in messages
        for part in message.parts
        if isinstance(part, VideoPart)
    ]


def shows_only_videos(messages: Sequence[Message]) -> bool:
    """Whether the content is text and videos alone, and no text looks like a trainer's mark."""
    return not any(
        isinstance(part, ImagePart) or (isinstance(part, TextPart) and _MARK.search(part.text))
        for message in messages
        for part in message.parts
    )
