"""The chat messages of a question, and the media that they refer to.

`content` of the user's turn is the JSON text of content parts. A video is the part
``{"type": "video", "media": [0, 1, ...], "fps": 4.8}``: `media` are places in the row's list of
media, frames in order or one clip, and `fps` is the rate of the frames on the video's own axis.
"""

import json
from typing import Any

from synthmill.generators.videossr.encode import MediaFile
from synthmill.generators.videossr.jigsaw import LABELS
from synthmill.generators.videossr.records import Detail
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import Message

# The paper trains without chains of thought.
SYSTEM = "Answer directly, without any explanation or reasoning."


def messages(text: str, files: tuple[MediaFile, ...], fps: float) -> list[Message]:
    """The system's and the user's turn; several clips are numbered as the answer names them."""
    places: dict[int, list[int]] = {}
    for place, file in enumerate(files):
        places.setdefault(file.clip, []).append(place)
    parts: list[dict[str, Any]] = []
    for clip, media in places.items():
        if len(places) > 1:
            parts.append({"type": "text", "text": f"Clip {LABELS[clip]}: "})
        parts.append({"type": "video", "media": media, "fps": fps})
    parts.append({"type": "text", "text": text})
    return [
        Message(role="system", content=SYSTEM, train=False),
        Message(role="user", content=json.dumps(parts, ensure_ascii=False), train=False),
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
