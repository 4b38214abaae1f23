"""Properties of a video, read from its packets and its first frame; its header is not trusted.

It runs in a worker process (`runtime.workers`).
"""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from synthmill.schemas.base import Record
from synthmill.sources.video.container import MAX_PIXELS, UnusableVideo, open_video

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# Ours: how much of the stated length may be missing before a file counts as truncated.
TRUNCATED_BELOW = 0.95
# Ours: a gap between frames longer than this many usual ones means a variable frame rate.
UNEVEN = 1.5


class VideoInfo(Record):
    """A readable video: sizes in pixels as displayed (turned upright, pixels made square).

    `seconds` runs from the first frame to the end of the last; `frames` counts packets;
    `fps` is their quotient, the mean rate.
    """

    container: str
    codec: str
    width: int
    height: int
    rotation: int
    seconds: float
    frames: int
    key_frames: int
    fps: float
    variable_rate: bool


class Probed(Record):
    """What `probe` found: the SHA-256 of the bytes, and the video."""

    sha256: str
    info: VideoInfo


def probe(path: Path, max_pixels: int = MAX_PIXELS) -> Probed:
    """Read a whole file once for its hash and once for its packets; decode one frame.

    Raises:
        UnusableVideo: see `open_video`; or truncated, without a key frame, or nothing in it can be
            decoded.
    """
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with open_video(path, max_pixels) as (container, stream):
        first, packets = _first_frame(container.demux(stream), stream)
        times = _PacketTimes()
        for packet in packets:
            times.add(packet)
        return Probed(sha256=sha256, info=_info(container, stream, first, times))


class _PacketTimes:
    """Presentation times of a stream's packets, in units of the stream's time base."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.last_duration = 0
        self.key_frames = 0

    def add(self, packet: "Packet") -> None:
        start = packet.pts if packet.pts is not None else packet.dts
        if start is None:
            return
        self.starts.append(start)
        self.last_duration = packet.duration or self.last_duration
        self.key_frames += packet.is_keyframe

    def gaps(self) -> list[int]:
        ordered = sorted(self.starts)
        return [b - a for a, b in pairwise(ordered) if b > a]


def _first_frame(
    packets: "Iterator[Packet]", stream: "VideoStream"
) -> "tuple[VideoFrame, Iterable[Packet]]":
    """The first frame that decodes, and all packets again from the beginning."""
    read: list[Packet] = []
    for packet in packets:
        read.append(packet)
        for frame in stream.codec_context.decode(packet):
            return frame, _chain(read, packets)
    if read and not any(packet.is_keyframe for packet in read):
        raise UnusableVideo("no key frame", f"{len(read)} packets, none can be decoded on its own")
    raise UnusableVideo("corrupt", f"nothing decodes from {len(read)} packets")


def _chain(read: "list[Packet]", rest: "Iterator[Packet]") -> "Iterator[Packet]":
    yield from read
    yield from rest


def _info(
    container: "InputContainer",
    stream: "VideoStream",
    first: "VideoFrame",
    times: _PacketTimes,
) -> VideoInfo:
    if not times.key_frames:
        raise UnusableVideo("no key frame", f"none among {len(times.starts)} packets")
    gaps = times.gaps()
    if not gaps or stream.time_base is None:
        raise UnusableVideo("too short", f"{len(times.starts)} frames")
    usual = sorted(gaps)[len(gaps) // 2]
    length = max(times.starts) - min(times.starts) + (times.last_duration or usual)
    seconds = float(length * stream.time_base)
    stated = _stated_seconds(container, stream)
    if stated is not None and seconds < TRUNCATED_BELOW * stated:
        raise UnusableVideo("truncated", f"{seconds:.2f} s of the stated {stated:.2f} s are there")
    width, height = _displayed_size(first, stream)
    return VideoInfo(
        container=container.format.name,
        codec=stream.codec_context.name,
        width=width,
        height=height,
        rotation=first.rotation % 360,
        seconds=seconds,
        frames=len(times.starts),
        key_frames=times.key_frames,
        fps=len(times.starts) / seconds,
        variable_rate=max(gaps) > UNEVEN * usual or min(gaps) * UNEVEN < usual,
    )


def _stated_seconds(container: "InputContainer", stream: "VideoStream") -> float | None:
    """The length of the video stream in the header, or None."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # The container's length may be that of a longer sound track.
    if container.duration and len(container.streams) == 1:
        return container.duration / 1_000_000
    return None


def _displayed_size(frame: "VideoFrame", stream: "VideoStream") -> tuple[int, int]:
    """Width and height of a frame in square pixels, turned upright."""
    width = max(1, round(frame.width * float(stream.sample_aspect_ratio or 1)))
    return (frame.height, width) if frame.rotation % 180 else (width, frame.height)
