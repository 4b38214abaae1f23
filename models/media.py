"""Stored images and videos as data: URLs, the only form in which servers are handed a file."""

import base64
from collections.abc import Callable, Iterable
from pathlib import Path

from synthmill.schemas.messages import ImagePart, Message, TextPart, VideoPart, is_data_url

MAX_REQUEST_BYTES = 64 << 20  # ours: of all files of a request; vLLM's own bound on a body is close


def load_media(
    messages: Iterable[Message], folder: Path, max_bytes: int = MAX_REQUEST_BYTES
) -> tuple[Message, ...]:
    """The messages with each stored file read into its part; `folder` is the dataset's.

    Raises:
        ValueError: a path leads out of the folder, or all files together exceed `max_bytes`.
        OSError: a file cannot be read.
    """
    root, left = folder.resolve(), max_bytes

    def load(path: str, mime: str) -> str:
        nonlocal left
        if is_data_url(path):
            left -= len(path)
        else:
            file = (root / path).resolve()
            if not file.is_relative_to(root):
                raise ValueError(f"{path} leads out of the dataset's folder")
            left -= file.stat().st_size
        if left < 0:
            raise ValueError(f"the images and videos of a request exceed {max_bytes:,} bytes")
        if is_data_url(path):
            return path
        return f"data:{mime};base64,{base64.b64encode(file.read_bytes()).decode()}"

    return tuple(_with_files(message, load) for message in messages)


def _with_files(message: Message, load: Callable[[str, str], str]) -> Message:
    if not message.media_paths or not isinstance(message.content, tuple):
        return message
    parts: list[TextPart | ImagePart | VideoPart] = []
    for part in message.content:
        if isinstance(part, ImagePart):
            part = part.model_copy(update={"path": load(part.path, part.mime)})
        elif isinstance(part, VideoPart):
            loaded = tuple(load(path, part.mime) for path in part.paths)
            part = part.model_copy(update={"paths": loaded})
        parts.append(part)
    return message.model_copy(update={"content": tuple(parts)})
