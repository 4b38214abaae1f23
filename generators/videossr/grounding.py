"""Anomaly grounding (section 3.2): one span of the video is perturbed; when does it begin and end?

A span of `length` frames from frame `first` covers the time from frame `first` to the frame after
the span: ``first * step`` to ``(first + length) * step``.

How slow and fast are built is not published, so the construction is ours: the span shows fewer or
more seconds of the source than it lasts, and the frames around it continue at normal speed without
a jump. The sampling step is chosen so that all frames together still cover the whole source.
"""

from dataclasses import dataclass
from random import Random

import numpy as np

from synthmill.generators.videossr.decoded_video import Timeline, timeline
from synthmill.generators.videossr.perturbations import (
    PERTURBATIONS,
    Appearance,
    DrawnParameters,
    Perturbation,
    Reorder,
    Speed,
    StutterHold,
)
from synthmill.generators.videossr.records import Clip, GroundingRecord, Sample
from synthmill.generators.videossr.settings import Grounding, VideoSampling
from synthmill.sources.video.frame_statistics import STILL, differences, steps, thumbnails
from synthmill.sources.video.probe import VideoInfo
from synthmill.sources.video.reading import Frames, Pixels

QUESTION = (
    "In one span of this video, {phrase}. When does that span begin and end? Answer with the times "
    "in seconds as <start>-<end> and nothing else, for example 14.5-26.2."
)


@dataclass(frozen=True, slots=True)
class OtherVideo:
    """Frames of another video, named by the hash of its bytes."""

    sha256: str
    seen: Frames


@dataclass(frozen=True, slots=True)
class GroundingPlan:
    """A perturbation, its parameters and its span, drawn before anything is decoded.

    `moments` are those in the source that each frame shows (of `line` unless slow or fast);
    `normal` are, for slow and fast, those at which the span would be shown at normal speed.
    """

    perturbation: Perturbation
    drawn: DrawnParameters
    first: int
    length: int
    line: Timeline
    moments: tuple[int, ...]
    normal: tuple[int, ...] = ()


def plan(
    name: str, info: VideoInfo, sampling: VideoSampling, settings: Grounding, rng: Random
) -> GroundingPlan:
    """Draw span and parameters: length uniform in `Grounding.length`, start uniform where it fits.

    (Released generator.)
    """
    perturbation = PERTURBATIONS[name]
    length = rng.randint(*settings.length)
    first = rng.randint(0, sampling.frames - length)
    drawn = perturbation.draw(rng, length, settings.parameters)
    places = _places(sampling.frames, first, length, drawn.rate)
    line = timeline(info, sampling, sampling.frames + length * (drawn.rate - 1))
    usual = range(first, first + round(length * drawn.rate) + 1) if drawn.rate != 1 else ()
    return GroundingPlan(
        perturbation, drawn, first, length, line, line.moments(places), line.moments(usual)
    )


def _places(count: int, first: int, length: int, rate: float) -> list[float]:
    """The source time of each frame in steps: within the span, `rate` steps per frame."""
    return [k + (rate - 1) * min(max(k - first, 0), length) for k in range(count)]


def build(
    planned: GroundingPlan,
    seen: Frames,
    settings: Grounding,
    *,
    other: OtherVideo | None = None,
    normal: Frames | None = None,
) -> Sample:
    """The sample, with a measure of how visible the change is in this video.

    `seen` and `normal` are the source frames at the planned moments of those names, `other` those
    that swap inserts.
    """
    base = seen.pixels
    span = slice(planned.first, planned.first + planned.length)
    clip = _clip(planned, base, other.seen.pixels if other else base[:0])
    shown = clip.frames(base)
    if normal is not None:
        change = speed_change(shown, span, normal.pixels, planned.drawn.rate)
    else:
        change = visible_change(planned, base, shown, settings.visible_step)
    start = round(planned.line.second(planned.first), settings.decimals)
    end = round(planned.line.second(span.stop), settings.decimals)
    record = GroundingRecord(
        perturbation=planned.perturbation.name,
        first=planned.first,
        length=planned.length,
        start=start,
        end=end,
        drawn=planned.drawn,
        change=round(change, 4),
        over_movement=round(over_movement(planned, base, shown), 4),
        moments=list(planned.moments) if planned.drawn.rate != 1 else [],
        other=other.sha256 if other else None,
        other_times=list(other.seen.times) if other else [],
    )
    return Sample(
        seen=seen,
        clips=(clip,),
        step_ms=planned.line.step_ms,
        question=QUESTION.format(phrase=planned.perturbation.phrase),
        answer=f"{start:.{settings.decimals}f}-{end:.{settings.decimals}f}",
        record=record,
    )


def _clip(planned: GroundingPlan, base: Pixels, other: Pixels) -> Clip:
    order = list(range(len(base)))
    first, length = planned.first, planned.length
    if isinstance(planned.perturbation, Reorder):
        order[first : first + length] = [first + place for place in planned.drawn.order]
        return Clip(tuple(order))
    if isinstance(planned.perturbation, Speed):
        return Clip(tuple(order))
    changed = other
    if isinstance(planned.perturbation, Appearance):
        changed = planned.perturbation.apply(base[first : first + length], planned.drawn)
    return Clip(tuple(order), {first + place: frame for place, frame in enumerate(changed)})


def visible_change(planned: GroundingPlan, base: Pixels, shown: Pixels, step: int) -> float:
    """How visible the edges of the span are: the smaller share of pixels that change there.

    Both edges count, since an edge that looks unchanged would make the label wrong.
    """
    return min(changed_share(a, b, step) for a, b in _edges(planned, base, shown))


def over_movement(planned: GroundingPlan, base: Pixels, shown: Pixels) -> float:
    """How much the picture changes at the edges, against the video's own change from frame to
    frame: the smaller edge over the median. In shaking leaves, an order or a side is not seen.
    """
    edges = [thumbnails(np.stack(pair)) for pair in _edges(planned, base, shown)]
    change = min(float(differences(pair)[0, 1]) for pair in edges)
    return change / max(float(np.median(steps(differences(thumbnails(base))))), STILL)


def _edges(planned: GroundingPlan, base: Pixels, shown: Pixels) -> list[tuple[Pixels, Pixels]]:
    """The frames at the edges of the span, each with what an unchanged video would show.

    A stutter begins with an unchanged frame that is then held, so its neighbors are compared.
    """
    first, last = planned.first, planned.first + planned.length - 1
    pairs = [(shown[last], base[last])]
    if isinstance(planned.perturbation, StutterHold):
        pairs += [(shown[first], base[first + 1])]
        pairs += [(shown[first], base[first - 1])] if first else []
        pairs += [(shown[last], base[last + 1])] if last + 1 < len(base) else []
    else:
        pairs += [(shown[first], base[first])]
    return pairs


def changed_share(a: Pixels, b: Pixels, step: int) -> float:
    """Share of pixels in which some channel differs by more than `step`."""
    return float((np.abs(a.astype(np.int16) - b) > step).any(axis=-1).mean())


def speed_change(shown: Pixels, span: slice, normal: Pixels, rate: float) -> float:
    """Ratio of the movement in the span to that of the same source at normal speed, and to the
    rest of the video; the smaller of the two (for slow, of their inverses).

    The first says whether the speed can be seen at all: leaves that shake change as much from
    frame to frame at any speed. The second says whether it stands out. 0 if nothing moves.
    """
    moves = steps(differences(thumbnails(shown)))
    inside = float(np.median(moves[span.start : span.stop - 1]))
    outside = float(np.median(np.delete(moves, np.s_[max(0, span.start - 1) : span.stop])))
    same = float(np.median(steps(differences(thumbnails(normal)))))
    if min(inside, outside, same) < STILL / 2:
        return 0.0
    return min(inside / outside, inside / same) if rate > 1 else min(outside, same) / inside
