"""Chat messages, as every back end, filter and exporter reads them."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from synthmill.schemas.base import Record

Role = Literal["system", "developer", "user", "assistant", "tool"]
_DATA_URL = re.compile(r"data:(image|video)/[\w.+-]+;base64,")


def is_data_url(path: str) -> bool:
    """Whether the path of a part is a data: URL, which holds the file itself."""
    return _DATA_URL.match(path) is not None


def _stored_or_inline(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not is_data_url(path) and (
        not parts or parts[0] == "/" or ".." in parts or ":" in path or "\\" in path
    ):
        raise ValueError("neither the relative path of a stored file nor a base64 data: URL")
    return path


# Other URLs are refused: a model server would fetch any address that a document names.
MediaPath = Annotated[str, AfterValidator(_stored_or_inline)]


class TextPart(Record):
    """Text among images or videos."""

    type: Literal["text"] = "text"
    text: str


class ImagePart(Record):
    """An image in a message.

    `path` is the path of one of the row's `media`, or a data: URL in prompts that never become
    rows. `detail` is the resolution that OpenAI-compatible servers are asked to look at.
    """

    type: Literal["image"] = "image"
    path: MediaPath
    mime: str
    detail: Literal["auto", "low", "high"] | None = None


class VideoPart(Record):
    """A video in a message: its frames in order as image files, or one clip.

    `paths` are as in `ImagePart`; `mime` is the type of each file and tells frames from a clip.
    `fps` is the rate of the frames on the video's own time axis.
    """

    type: Literal["video"] = "video"
    paths: tuple[MediaPath, ...] = Field(min_length=1)
    mime: str
    fps: float | None = None

    @property
    def has_frames(self) -> bool:
        """Whether the files are frames, not one clip."""
        return self.mime.startswith("image/")


ContentPart: TypeAlias = Annotated[TextPart | ImagePart | VideoPart, Field(discriminator="type")]


class Message(Record):
    """One turn of a conversation.

    `content` is text, or typed parts where it includes images or videos. Text is
    never parsed for parts, whatever it looks like. `reasoning` is the thinking kept apart from the
    content. `tool_calls` is the JSON text of an OpenAI tool-call list. `train=False` masks the
    turn from the training loss (observations, injected text).
    """

    role: Role
    content: str | tuple[ContentPart, ...] | None = None
    reasoning: str | None = None
    tool_calls: str | None = None
    tool_call_id: str | None = None
    name: str | None = None
    train: bool = True

    @property
    def parts(self) -> tuple[TextPart | ImagePart | VideoPart, ...]:
        """The content as parts; text is one text part."""
        if isinstance(self.content, tuple):
            return self.content
        return (TextPart(text=self.content),) if self.content else ()

    @property
    def text(self) -> str:
        """The text of the content, with line breaks between text parts; empty if there is none."""
        if isinstance(self.content, tuple):
            return "\n".join(part.text for part in self.content if isinstance(part, TextPart))
        return self.content or ""

    @property
    def media_paths(self) -> tuple[str, ...]:
        """The paths of the content's images and videos, in order."""
        if not isinstance(self.content, tuple):
            return ()
        found: list[str] = []
        for part in self.content:
            if isinstance(part, ImagePart):
                found.append(part.path)
            elif isinstance(part, VideoPart):
                found += part.paths
        return tuple(found)


def user(text: str) -> Message:
    """A user turn, masked from training."""
    return Message(role="user", content=text, train=False)


def assistant(text: str, *, reasoning: str | None = None) -> Message:
    """An assistant turn, to be trained on."""
    return Message(role="assistant", content=text, reasoning=reasoning)
