"""Opening untrusted videos, with a reason for those that cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# A playlist or a concat script under a video's name would make FFmpeg read other files and
# addresses: only plain containers are opened, and only the file itself.
CONTAINERS = "mov,mp4,matroska,webm,avi,mpegts,flv,ogg"
PROTOCOLS = "file"
MAX_PIXELS = 7680 * 4320  # ours: 8K; a larger size in a header is an attack or a mistake


class UnusableVideo(Exception):
    """A video cannot be used: a short stable `reason`, and the `detail` of this file."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@contextmanager
def open_video(
    path: Path, max_pixels: int = MAX_PIXELS
) -> "Iterator[tuple[InputContainer, VideoStream]]":
    """The container and its first real video stream, set to decode in one thread.

    One thread, because the work is spread over processes and must not depend on their number.

    Raises:
        UnusableVideo: empty, not a video, without a video stream, of an impossible size, or corrupt
            (whatever FFmpeg complains of inside the block).
    """
    import av

    if path.stat().st_size == 0:
        raise UnusableVideo("empty file", "0 bytes")
    try:
        with av.open(
            f"file:{path.absolute()}",
            container_options={"protocol_whitelist": PROTOCOLS, "format_whitelist": CONTAINERS},
        ) as container:
            stream = _video_stream(container)
            _check_size(stream.codec_context.width, stream.codec_context.height, max_pixels)
            # A size may also grow in the middle of a stream; the decoder refuses it there.
            stream.codec_context.options = {"max_pixels": str(max_pixels)}
            stream.codec_context.thread_count = 1
            yield container, stream
    except (av.FFmpegError, UnicodeError, MemoryError) as error:
        raise UnusableVideo("corrupt", f"{type(error).__name__}: {error}"[:200]) from error


def _video_stream(container: "InputContainer") -> "VideoStream":
    from av.stream import Disposition

    for stream in container.streams.video:
        # FFmpeg lists cover art as a video stream.
        if not stream.disposition & Disposition.attached_pic:
            if stream.codec_context is None:
                raise UnusableVideo("unknown codec", "no decoder for the video stream")
            return stream
    kinds = sorted({stream.type for stream in container.streams})
    raise UnusableVideo("no video stream", f"streams: {', '.join(kinds) or 'none'}")


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width <= 0 or height <= 0:
        raise UnusableVideo("corrupt", f"the header says {width}x{height} pixels")
    if width * height > max_pixels:
        raise UnusableVideo("too large", f"{width}x{height} pixels, limit {max_pixels:,}")
