"""Judgements on a whole video; thresholds are ours, since the paper filters no videos."""

from synthmill.generators.videossr.footage import Footage
from synthmill.generators.videossr.settings import Checks, VideossrSettings
from synthmill.schemas.items import storable
from synthmill.schemas.verdict import Verdict
from synthmill.sources.video.container import Unusable
from synthmill.sources.video.probe import VideoInfo
from synthmill.sources.video.survey import black_share, frozen_share, moving_share


def of_header(info: VideoInfo, settings: VideossrSettings) -> list[Verdict]:
    """What can be said before anything is decoded: resolution and length."""
    side = min(info.width, info.height)
    begin, end = settings.sampling.span
    # Fewer frames than are sampled (the code's rule), or frames closer than the answer's digits.
    share = (end - begin) / settings.sampling.frames
    frames = info.frames * share
    step = info.seconds * share * 10**settings.grounding.decimals
    return [
        _at_least("resolution", "resolution too low", side, settings.checks.min_side),
        _at_least("length", "too short", min(frames, step), 1.0),
    ]


def of_frames(footage: Footage, checks: Checks) -> list[Verdict]:
    """What the sampled frames tell: black, moving, frozen, repeated."""
    black = black_share(footage.small)
    moving, frozen = moving_share(footage.difference), frozen_share(footage.difference)
    return [
        _at_most("black", "black frames", black, checks.max_black),
        _at_least("moving", "static video", moving, checks.min_moving),
        _at_most("frozen", "frozen stretch", frozen, checks.max_frozen),
        _at_most("repeated", "repeated segments", footage.repeated, checks.max_repeated),
    ]


def unusable(error: Unusable, which: str = "") -> Verdict:
    """The verdict on a video that does not decode; `which` names it where it is another one."""
    reason = f"{which} video: {error.reason}" if which else error.reason
    detail = storable(error.detail)  # it may name the file
    return Verdict(filter="videossr.decode", status="fail", reason=reason, detail=detail)


def _at_least(name: str, reason: str, value: float, bound: float) -> Verdict:
    return _verdict(name, reason, value >= bound, value, f"{value:.4g}, at least {bound:g}")


def _at_most(name: str, reason: str, value: float, bound: float) -> Verdict:
    return _verdict(name, reason, value <= bound, value, f"{value:.4g}, at most {bound:g}")


def _verdict(name: str, reason: str, good: bool, value: float, detail: str) -> Verdict:
    return Verdict(
        filter=f"videossr.{name}",
        status="pass" if good else "fail",
        score=round(value, 4),
        reason=None if good else reason,
        detail=detail,
    )
