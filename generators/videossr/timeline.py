"""Which moments of a video are sampled, in whole milliseconds so that nothing is ever rounded."""

from collections.abc import Sequence
from dataclasses import dataclass

from synthmill.generators.videossr.settings import Sampling
from synthmill.sources.video.probe import VideoInfo


@dataclass(frozen=True, slots=True)
class Timeline:
    """`count` moments, the first at `offset_ms`, one every `step_ms`, in time of the source."""

    offset_ms: int
    step_ms: int
    count: int

    @property
    def fps(self) -> float:
        """Sampled frames in a second: the rate handed to the model."""
        return 1000 / self.step_ms

    def moment(self, place: float) -> int:
        """Milliseconds of the source at a place, which may lie between two frames."""
        return self.offset_ms + round(place * self.step_ms)

    def moments(self, places: Sequence[float] | None = None) -> tuple[int, ...]:
        """Milliseconds at the given places, by default at all sampled frames."""
        return tuple(map(self.moment, range(self.count) if places is None else places))

    def second(self, place: int) -> float:
        """Seconds on the model's axis, which begins at the first frame, at which a frame stands."""
        return place * self.step_ms / 1000


def timeline(info: VideoInfo, sampling: Sampling, places: float | None = None) -> Timeline:
    """The timeline of a video: its sampled part cut into `places` steps (by default, frames).

    The released code takes every (n // 48)-th frame; this takes even time, which is the same for
    a constant frame rate, and right for a variable one.
    """
    begin, end = (round(share * info.seconds * 1000) for share in sampling.span)
    step = int((end - begin) / (places or sampling.frames))
    return Timeline(offset_ms=begin, step_ms=max(1, step), count=sampling.frames)
