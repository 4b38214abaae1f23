"""Frames of a video at given moments, as a player would show them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthmill.sources.video.container import UnusableVideo, open_video
from synthmill.sources.video.gop_reader import frames_around

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames in the requested order.

    `pixels` is (count, height, width, 3) RGB; `times` are the moments, in milliseconds since the
    first frame, at which each frame begins to be shown (not later than the requested moment).
    """

    pixels: Pixels
    times: tuple[int, ...]


def fitted_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """The largest size of the same shape that has at most `max_pixels`; sides even, never larger.

    Even, because the clips that are written store color at half the resolution.
    """
    scale = min(1.0, (max_pixels / (width * height)) ** 0.5)
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def frames_at(
    path: Path, moments: Sequence[int], size: tuple[int, int], *, seconds: float = 120.0
) -> Frames:
    """The frame shown at each of `moments` (milliseconds since the first frame, ascending).

    A frame is shown from its own time stamp to that of the next one, so this holds for variable
    frame rates too. `size` is the (width, height) of the frames given back, upright; `seconds`
    bounds the time that decoding may take.

    Raises:
        UnusableVideo: see `open_video`; a frame is damaged, time stamps run backwards, the video
            ends before a moment ("truncated"), or decoding takes too long.
    """
    from av.video.reformatter import VideoReformatter

    scaler = VideoReformatter()  # one for all frames: making one costs more than using it
    pixels = np.empty((len(moments), size[1], size[0], 3), np.uint8)
    times: list[int] = []
    until = time.monotonic() + seconds
    with open_video(path) as (container, stream):
        milliseconds = 1000 * (stream.time_base or Fraction(1))  # of a tick
        start: int | None = None
        held: VideoFrame | None = None
        shown = end = 0
        for frame in frames_around(container, stream, moments):
            if frame.is_corrupt:
                raise UnusableVideo("corrupt", f"damaged frame after {shown / 1000:.2f} s")
            if time.monotonic() > until:
                raise UnusableVideo("time limit", f"not decoded within {seconds:g} s")
            if frame.pts is None:
                continue
            start = frame.pts if start is None else start
            now = round((frame.pts - start) * milliseconds)
            if now < shown:  # B-frames packed into one packet: what is shown when is unknown
                raise UnusableVideo("time stamps run backwards", f"after {shown / 1000:.2f} s")
            while held is not None and len(times) < len(moments) and moments[len(times)] < now:
                _take(held, shown, scaler, pixels, times)
            if len(times) == len(moments):
                break
            # The last frame is shown for its duration, or for the last gap if it has none.
            end = now + max(round((frame.duration or 0) * milliseconds), now - shown)
            held, shown = frame, now
        while held is not None and len(times) < len(moments) and moments[len(times)] <= end:
            _take(held, shown, scaler, pixels, times)
    if len(times) < len(moments):
        raise UnusableVideo("truncated", f"{end / 1000:.2f} of {moments[-1] / 1000:.2f} s decode")
    return Frames(pixels, tuple(times))


def _take(
    held: "VideoFrame", shown: int, scaler: "VideoReformatter", pixels: Pixels, times: list[int]
) -> None:
    """Store the shown frame at the next place; a repeated frame is converted once."""
    place = len(times)
    same = bool(times) and times[-1] == shown
    pixels[place] = pixels[place - 1] if same else _upright(held, scaler, pixels.shape[1:3])
    times.append(shown)


def _upright(frame: "VideoFrame", scaler: "VideoReformatter", shape: tuple[int, ...]) -> Pixels:
    """RGB pixels of a frame, scaled to `shape`, and turned as its display matrix says."""
    from av.video.reformatter import Interpolation

    turns = round(frame.rotation / 90) % 4  # quarter turns, counter-clockwise
    height, width = shape if turns % 2 == 0 else shape[::-1]
    # Exact, so that pixels do not depend on the processor's instruction set.
    kernel = Interpolation.AREA | Interpolation.BITEXACT | Interpolation.ACCURATE_RND
    rgb = scaler.reformat(
        frame, width=width, height=height, format="rgb24", interpolation=kernel, threads=1
    )
    pixels = rgb.to_ndarray().astype(np.uint8, copy=False)
    return np.rot90(pixels, turns) if turns else pixels
