"""The chat messages of a question, and the media that they refer to."""

from collections.abc import Mapping

from synthmill.generators.videossr.encode import MediaFile
from synthmill.generators.videossr.jigsaw import LABELS
from synthmill.generators.videossr.records import Detail
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import ImagePart, Message, TextPart, VideoPart

# The paper trains without chains of thought.
SYSTEM = "Answer directly, without any explanation or reasoning."


def messages(
    text: str, files: tuple[MediaFile, ...], stored: Mapping[str, Media], fps: float
) -> list[Message]:
    """The system's and the user's turn; several clips are numbered as the answer names them.

    `stored` are the files by hash, `fps` the rate of the frames on the video's own axis.
    """
    clips: dict[int, list[Media]] = {}
    for file in files:
        clips.setdefault(file.clip, []).append(stored[file.sha256])
    parts: list[TextPart | ImagePart | VideoPart] = []
    for clip, media in clips.items():
        if len(clips) > 1:
            parts.append(TextPart(text=f"Clip {LABELS[clip]}: "))
        paths = tuple(file.path for file in media)
        parts.append(VideoPart(paths=paths, mime=media[0].mime, fps=fps))
    parts.append(TextPart(text=text))
    return [
        Message(role="system", content=SYSTEM, train=False),
        Message(role="user", content=tuple(parts), train=False),
    ]


def media_of(file: MediaFile, stored: Media, detail: Detail) -> Media:
    """The row's reference to a stored file, with its place on the time axis."""
    where = {
        "clip": file.clip,
        "frame": file.place,
        "second": file.second,
        "frames": file.frames,
        "fps": detail.fps,
        "width": detail.width,
        "height": detail.height,
    }
    return stored.model_copy(update={"detail": canonical_json(where)})
