"""Decoding only the groups of pictures (GOPs) that contain a requested moment.

A group begins with a key frame. In a long video of which few frames are needed, most groups are
read and discarded without decoding, which costs almost nothing.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# Ours: a longer group is decoded whatever it holds, so that few packets are kept in memory.
MAX_PACKETS = 600
# Ours: seconds by which a moment may be off because an edit list shifts the beginning.
MARGIN = 0.25


@dataclass(frozen=True, slots=True)
class PictureGroup:
    """Packets from a key frame to before the next; `key` and `low` in units of the time base.

    `key` is the time of the key frame and `low` the earliest time: frames that follow the key frame
    in the file and are shown before it make it smaller. `certain` is false if times are missing or
    the group is a part of a longer one.
    """

    packets: list["Packet"]
    key: int
    low: int
    certain: bool


def frames_around(
    container: "InputContainer", stream: "VideoStream", moments: Sequence[int]
) -> "Iterator[VideoFrame]":
    """The frames of the first group and of every group that contains a moment, in display order.

    `moments` are milliseconds since the first frame, ascending. Frames between two
    yielded ones may be missing, but never one that is shown at a moment.
    """
    codec = stream.codec_context
    base = float(stream.time_base or 1)
    begin: int | None = None
    skipping = False
    for group, until in _with_next_key(_groups(container.demux(stream))):
        begin = group.low if begin is None else begin
        low, high = ((at - begin) * base if at is not None else None for at in (group.low, until))
        first = group.low == begin
        if group.certain and not first and not _wanted(moments, low or 0.0, high):
            if not skipping:
                yield from codec.decode(None)
            skipping = True
            continue
        if skipping:
            codec.flush_buffers()
        for packet in group.packets:
            for frame in codec.decode(packet):
                # After a gap, frames shown before the key frame lack their reference frames.
                if not skipping or frame.pts is None or frame.pts >= group.key:
                    yield frame
        skipping = False
    if not skipping:
        yield from codec.decode(None)


def _wanted(moments: Sequence[int], low: float, high: float | None) -> bool:
    """Whether a moment lies between two times in seconds, `high` excluded (None: no end)."""
    place = bisect_left(moments, (low - MARGIN) * 1000)
    return place < len(moments) and (high is None or moments[place] < (high + MARGIN) * 1000)


def _groups(packets: "Iterable[Packet]") -> Iterator[PictureGroup]:
    gathered: list[Packet] = []
    certain = True
    for packet in packets:
        if packet.size == 0:
            continue  # the demuxer's end
        full = len(gathered) >= MAX_PACKETS
        if gathered and (packet.is_keyframe or full):
            yield _group(gathered, certain and not full)
            certain = packet.is_keyframe
            gathered = []
        gathered.append(packet)
    if gathered:
        yield _group(gathered, certain)


def _group(packets: "list[Packet]", certain: bool) -> PictureGroup:
    times = [packet.pts if packet.pts is not None else packet.dts for packet in packets]
    known = [time for time in times if time is not None] or [0]
    timed = all(packet.pts is not None for packet in packets)
    return PictureGroup(packets, known[0], min(known), certain and timed)


def _with_next_key(groups: Iterable[PictureGroup]) -> Iterator[tuple[PictureGroup, int | None]]:
    """Each group with the time of the next one's key frame."""
    before: PictureGroup | None = None
    for group in groups:
        if before is not None:
            yield before, group.key if group.certain else None
        before = group
    if before is not None:
        yield before, None
