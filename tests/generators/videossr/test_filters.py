"""Videos in which a question would have no visible answer are rejected, with scores."""

import os
import sys
from itertools import cycle, islice

import numpy as np
import pytest

from synthmill.generators.videossr.filters import NearDuplicateVideo, distances
from synthmill.generators.videossr.settings import MediaSettings
from synthmill.generators.videossr.work import MediaEncoder
from synthmill.schemas.row import Candidate
from synthmill.sources.video.container import UnusableVideo
from synthmill.sources.video.writing import SMALLEST_SIDE, clip_bytes
from tests.generators.videossr.footage import clip_of, judged, made, moving, passes, scene_clip


def verdicts(path, wanted, **settings):
    """The verdicts on a video's only question by filter; `settings` are those of the filters."""
    [question] = made(path, wanted).questions
    return judged(question, **settings)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips that lack something, by what they are."""
    folder = tmp_path_factory.mktemp("checks")
    frames = list(moving(144))
    still, black = frames[0], np.zeros_like(frames[0])
    gray = [np.repeat(f.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8) for f in frames]
    sets = {
        "static": [still] * 144,
        "black": frames[:72] + [black] * 72,
        "frozen": frames[:72] + [frames[72]] * 72,
        "gray": gray,
        "symmetric": [np.concatenate([f[:, :96], f[:, 95::-1]], axis=1) for f in frames],
        "loop": list(islice(cycle(frames[:36]), 144)),
        "small": [f[:100, :160] for f in frames],
        "brief": frames[:60],
    }
    return {name: clip_of(folder / f"{name}.mp4", made_of) for name, made_of in sets.items()}


@pytest.mark.parametrize("codec", ["av1", "vp9"])
def test_frames_too_narrow_for_a_clip_are_rejected(codec):
    """A video may say that its pixels are a thousand times as wide as they are high."""
    narrow = np.zeros((8, SMALLEST_SIDE - 2, 256, 3), np.uint8)
    with pytest.raises(UnusableVideo, match="too narrow"):
        MediaEncoder(MediaSettings(media="clip", codec=codec), narrow)
    assert clip_bytes(np.zeros((8, SMALLEST_SIDE, 256, 3), np.uint8), 100, codec)
    assert MediaEncoder(MediaSettings(), narrow).files == {}


def test_a_narrow_video_is_not_blown_up_to_be_swapped_in(tmp_path):
    path = clip_of(tmp_path / "a.mp4", moving(144))
    thin = clip_of(tmp_path / "b.mp4", (frame[:2] for frame in moving(144, seed=3)))
    [(name, failure)] = made(path, {"grounding/swap": 1}, other=thin).failures
    assert (name, failure.reason) == ("grounding/swap", "other video: too narrow")


@pytest.mark.parametrize(
    ("name", "wanted", "judge", "reason"),
    [
        ("static", "grounding/mirror", "video_quality", "static video"),
        ("black", "grounding/mirror", "video_quality", "black frames"),
        ("frozen", "grounding/mirror", "video_quality", "frozen stretch"),
        ("small", "grounding/mirror", "video_quality", "resolution too low"),
        ("loop", "grounding/mirror", "video_quality", "repeated segments"),
        ("gray", "grounding/grayscale", "visible_change", "grayscale is not visible"),
        ("gray", "grounding/channel_swap", "visible_change", "channel_swap is not visible"),
        ("gray", "grounding/saturation", "visible_change", "saturation is not visible"),
        ("symmetric", "grounding/mirror", "visible_change", "mirror is not visible"),
        ("static", "grounding/shuffle", "visible_change", "shuffle is not visible"),
        ("static", "grounding/stutter_hold", "visible_change", "stutter_hold is not visible"),
        ("static", "jigsaw/6", "distinct_clips", "clips cannot be told apart"),
    ],
)
def test_what_cannot_be_seen_is_rejected(clips, name, wanted, judge, reason):
    verdict = verdicts(clips[name], {wanted: 1})[judge]
    assert (verdict.status, verdict.reason) == ("fail", reason)
    assert verdict.score is not None and verdict.detail


def test_thresholds_are_settings_of_the_filters(clips):
    loose = {"min_moving": 0.0, "max_frozen": 1.0, "max_repeated": 1.0}
    static = verdicts(clips["static"], {"grounding/mirror": 1}, video_quality=loose)
    assert static["video_quality"].status == "pass"
    strict = verdicts(
        clips["gray"],
        {"grounding/mirror": 1},
        visible_change={"min_share": 0.999},
        video_quality={"min_side": 200},
    )
    assert [strict[name].status for name in ("visible_change", "video_quality")] == ["fail"] * 2


def test_a_video_with_fewer_frames_than_are_sampled_gives_no_question(clips):
    result = made(clips["brief"], {"grounding/mirror": 1})
    [(name, failure)] = result.failures
    assert (name, failure.reason) == ("video", "too short") and not result.questions


def test_shapes_without_room_are_missing_and_named(travel):
    crowded = {"hard": {"frames": 1, "shapes": 40}}
    [question] = made(travel, {"counting/hard": 3}, counting=crowded).questions
    verdict = judged(question)["countable_shapes"]
    assert verdict.reason == "no room or no contrast for a shape"
    assert question.detail.sample.missing and verdict.score == len(question.detail.sample.shapes)


@pytest.mark.parametrize("wanted", ["grounding/slow", "grounding/fast"])
def test_a_static_video_has_no_speed(clips, wanted):
    assert verdicts(clips["static"], {wanted: 1})["visible_change"].score == 0


def test_gray_and_symmetric_videos_do_for_other_changes(clips):
    for name, wanted in (("gray", "grounding/mirror"), ("symmetric", "grounding/channel_swap")):
        assert verdicts(clips[name], {wanted: 1})["visible_change"].status == "pass"


def test_cuts_and_repeats_are_kept_as_data(tmp_path, clips):
    parts = [f for seed in (1, 2, 3) for f in moving(48, seed=seed)]
    [question] = made(clip_of(tmp_path / "cut.mp4", parts), {"grounding/mirror": 1}).questions
    assert question.detail.cuts == [16, 32]
    assert question.detail.repeated == 0
    [looped] = made(clips["loop"], {"jigsaw/4": 1}).questions
    assert looped.detail.repeated > 0.9
    assert judged(looped)["distinct_clips"].reason == "clips cannot be told apart"


def test_swap_needs_another_video(travel, splashes):
    [(_, failure)] = made(travel, {"grounding/swap": 1}).failures
    assert failure.reason == "other video: no other video"
    [both] = made(travel, {"grounding/swap": 1}, splashes).questions
    assert passes(both)


def candidate(path) -> Candidate:
    [question] = made(path, {"grounding/mirror": 1}).questions
    return Candidate(kind="rlvr", detail=question.detail.model_dump_json())


def test_distances_from_many_videos_are_those_from_each():
    """Mean bits to the nearest frame of the other video, in the direction in which it is less."""
    rng = np.random.default_rng(5)
    own, *others = (rng.integers(0, 2**64, n, np.uint64) for n in (24, 24, 1, 16, 24, 30))
    others[3] = own[:16] ^ np.uint64(7)
    expected = []
    for other in others:
        bits = np.array([[(int(a) ^ int(b)).bit_count() for b in other] for a in own])
        expected.append(min(bits.min(axis=0).mean(), bits.min(axis=1).mean()))
    assert distances(own, others).tolist() == expected
    assert expected[3] == 3


def test_near_duplicates_are_found_and_remembered(tmp_path):
    """Re-encoded, smaller, brighter or trimmed copies; not the same file, not other videos."""
    from PIL import Image

    frames = list(moving(192, 256, 192))
    small = [np.asarray(Image.fromarray(f).resize((192, 144))) for f in frames]
    bright = [np.clip(f.astype(int) + 12, 0, 255).astype(np.uint8) for f in frames]
    first = candidate(clip_of(tmp_path / "first.mp4", frames))
    copies = {
        "codec": clip_of(tmp_path / "codec.webm", frames, codec="libvpx-vp9"),
        "smaller": clip_of(tmp_path / "smaller.mp4", small),
        "brighter": clip_of(tmp_path / "brighter.mp4", bright),
        "trimmed": clip_of(tmp_path / "trimmed.mp4", frames[:174]),
    }
    found = NearDuplicateVideo()
    assert found.judge(first).status == "pass"
    found.add("row1", first)
    restored = NearDuplicateVideo()
    restored.from_arrow(found.to_arrow(0, len(found)))
    for name, path in copies.items():
        verdict = restored.judge(candidate(path))
        assert verdict.status == "fail" and verdict.score > 0.87, name
        assert "row row1" in verdict.detail
    assert restored.judge(first).status == "pass"
    other = restored.judge(candidate(scene_clip(tmp_path / "other", seed=77)))
    assert other.status == "pass" and other.score < 0.8
    assert restored.judge(Candidate(kind="sft")).status == "skipped"


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies of Linux")
def test_encoders_leave_no_thread_with_real_time_priority():
    """SVT-AV1 takes it as root; workers and threads started later would inherit it."""
    frames = np.zeros((8, 64, 64, 3), np.uint8)
    clip_bytes(frames, 40, "av1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
