"""The frames of one video, decoded in one pass for all of its questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthmill.generators.videossr.settings import VideoSampling
from synthmill.sources.video.container import UnusableVideo
from synthmill.sources.video.frame_statistics import Matrix, differences, repeated_share, thumbnails
from synthmill.sources.video.probe import VideoInfo
from synthmill.sources.video.reading import Frames, Pixels, fitted_size, frames_at
from synthmill.sources.videos import Video

APART = 6  # ours: a frame that is shown again sooner is slow movement, not a repeat
MOST_COVER = 16  # ours: largest enlargement of a video (in area) that has to cover a frame


@dataclass(frozen=True, slots=True)
class Timeline:
    """`count` moments, the first at `offset_ms`, one every `step_ms`, in source time."""

    offset_ms: int
    step_ms: int
    count: int

    @property
    def fps(self) -> float:
        """Sampled frames per second: the rate given to the model."""
        return 1000 / self.step_ms

    def moment(self, place: float) -> int:
        """Milliseconds of the source at a place, which may lie between two frames."""
        return self.offset_ms + round(place * self.step_ms)

    def moments(self, places: Sequence[float] | None = None) -> tuple[int, ...]:
        """Milliseconds at the given places, by default at all sampled frames."""
        return tuple(map(self.moment, range(self.count) if places is None else places))

    def second(self, place: int) -> float:
        """Seconds at which a frame is shown, counted from the first frame."""
        return place * self.step_ms / 1000


def timeline(info: VideoInfo, sampling: VideoSampling, places: float | None = None) -> Timeline:
    """The timeline of a video: its sampled part cut into `places` steps (by default, frames).

    The released code takes every (n // 48)-th frame. Even spacing in time is the same at a constant
    frame rate, and also right at a variable one.
    """
    begin, end = (round(share * info.seconds * 1000) for share in sampling.span)
    step = int((end - begin) / (places or sampling.frames))
    return Timeline(offset_ms=begin, step_ms=max(1, step), count=sampling.frames)


class DecodedVideo:
    """The frames of `video` at the moments of `line` and at those in `more` (milliseconds).

    Frames are as large as `max_pixels` allows; `seconds` bounds the decoding.

    Raises:
        UnusableVideo: see `frames_at`.
    """

    def __init__(
        self,
        video: Video,
        line: Timeline,
        more: Sequence[int] = (),
        *,
        max_pixels: int,
        seconds: float,
    ) -> None:
        self.line = line
        self.size = fitted_size(video.info.width, video.info.height, max_pixels)
        self._moments = sorted({*line.moments(), *more})
        self._seen = frames_at(Path(video.path), self._moments, self.size, seconds=seconds)
        self.sampled = self._at(line.moments())

    def at(self, moments: tuple[int, ...]) -> Frames:
        """The frames at moments that were decoded (`sampled` itself at the moments of `line`)."""
        return self.sampled if moments == self.line.moments() else self._at(moments)

    def _at(self, moments: Sequence[int]) -> Frames:
        if list(moments) == self._moments:
            return self._seen
        places = np.searchsorted(self._moments, moments)
        times = tuple(self._seen.times[place] for place in places)
        return Frames(self._seen.pixels[places], times)

    @cached_property
    def small(self) -> NDArray[np.uint8]:
        """Thumbnails of the sampled frames."""
        return thumbnails(self.sampled.pixels)

    @cached_property
    def difference(self) -> Matrix:
        """Difference of every sampled frame with every other."""
        return differences(self.small)

    @cached_property
    def repeated(self) -> float:
        """Share of sampled frames that are shown again at least `APART` frames away."""
        return repeated_share(self.difference, APART)


def frames_covering(
    video: Video, line: Timeline, places: range, size: tuple[int, int], seconds: float
) -> Frames:
    """Frames of another video at `places` of its own timeline, filling frames of `size`.

    The video is scaled to cover the frame and cropped, so that no border reveals it.

    Raises:
        UnusableVideo: see `frames_at`; or the video is so narrow that it would be enlarged more
            than `MOST_COVER` times.
    """
    scale = max(size[0] / video.info.width, size[1] / video.info.height)
    cover = (
        max(size[0], round(video.info.width * scale)),
        max(size[1], round(video.info.height * scale)),
    )
    if cover[0] * cover[1] > MOST_COVER * size[0] * size[1]:
        raise UnusableVideo("too narrow", f"{video.info.width}x{video.info.height} pixels")
    seen = frames_at(Path(video.path), line.moments(list(places)), cover, seconds=seconds)
    left, top = (cover[0] - size[0]) // 2, (cover[1] - size[1]) // 2
    pixels: Pixels = seen.pixels[:, top : top + size[1], left : left + size[0]]
    return Frames(np.ascontiguousarray(pixels), seen.times)
