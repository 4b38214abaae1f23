"""Videos in which a question would have no visible answer are rejected, with scores."""

from itertools import cycle, islice

import numpy as np
import pytest

from synthmill.generators.videossr.duplicates import NearDuplicateVideo, distances
from synthmill.generators.videossr.encode import Encoder
from synthmill.generators.videossr.generator import _rejected
from synthmill.generators.videossr.settings import Form
from synthmill.schemas.row import Candidate
from synthmill.sources.video.container import Unusable
from synthmill.sources.video.writing import SMALLEST_SIDE, clip_bytes
from synthmill.sources.videos import Video
from tests.generators.videossr.footage import clip_of, made, moving, scene_clip


def verdicts(path, wanted, **settings):
    """Verdicts by filter: those of the video, or of its only question."""
    result = made(path, wanted, **settings)
    found = result.questions[0].verdicts if result.questions else result.verdicts
    return {verdict.filter: verdict for verdict in found}


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips that lack something, by what they are."""
    folder = tmp_path_factory.mktemp("checks")
    frames = list(moving(144))
    still, black = frames[0], np.zeros_like(frames[0])
    grey = [np.repeat(f.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8) for f in frames]
    sets = {
        "static": [still] * 144,
        "black": frames[:72] + [black] * 72,
        "frozen": frames[:72] + [frames[72]] * 72,
        "grey": grey,
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
    with pytest.raises(Unusable, match="too narrow"):
        Encoder(Form(media="clip", codec=codec), narrow)
    assert clip_bytes(np.zeros((8, SMALLEST_SIDE, 256, 3), np.uint8), 100, codec)
    assert Encoder(Form(), narrow).files == {}


def test_a_narrow_video_is_not_blown_up_to_be_swapped_in(tmp_path):
    path = clip_of(tmp_path / "a.mp4", moving(144))
    thin = clip_of(tmp_path / "b.mp4", (frame[:2] for frame in moving(144, seed=3)))
    [question] = made(path, {"grounding/swap": 1}, other=thin).questions
    assert question.verdicts[-1].reason == "other video: too narrow"


@pytest.mark.parametrize(
    ("name", "wanted", "judge", "reason"),
    [
        ("static", "grounding/mirror", "videossr.moving", "static video"),
        ("black", "grounding/mirror", "videossr.black", "black frames"),
        ("frozen", "grounding/mirror", "videossr.frozen", "frozen stretch"),
        ("small", "grounding/mirror", "videossr.resolution", "resolution too low"),
        ("brief", "grounding/mirror", "videossr.length", "too short"),
        ("grey", "grounding/grayscale", "videossr.visible", "grayscale is not visible"),
        ("grey", "grounding/channel_swap", "videossr.visible", "channel_swap is not visible"),
        ("grey", "grounding/saturation", "videossr.visible", "saturation is not visible"),
        ("symmetric", "grounding/mirror", "videossr.visible", "mirror is not visible"),
        ("loop", "grounding/mirror", "videossr.repeated", "repeated segments"),
    ],
)
def test_what_cannot_be_seen_is_rejected(clips, name, wanted, judge, reason):
    verdict = verdicts(clips[name], {wanted: 1})[judge]
    assert (verdict.status, verdict.reason) == ("fail", reason)
    assert verdict.score is not None and verdict.detail


@pytest.mark.parametrize("wanted", ["grounding/shuffle", "grounding/stutter_hold", "jigsaw/6"])
def test_a_static_video_has_no_order(clips, wanted):
    checks = {"min_moving": 0.0, "max_frozen": 1.0}
    found = verdicts(clips["static"], {wanted: 1}, checks=checks)
    assert [v.status for v in found.values()].count("fail") == 1
    assert found.popitem()[1].status == "fail"


@pytest.mark.parametrize("wanted", ["grounding/slow", "grounding/fast"])
def test_a_static_video_has_no_speed(clips, wanted):
    checks = {"min_moving": 0.0, "max_frozen": 1.0}
    assert verdicts(clips["static"], {wanted: 1}, checks=checks)["videossr.visible"].score == 0


def test_grey_and_symmetric_videos_do_for_other_changes(clips):
    for name, wanted in (("grey", "grounding/mirror"), ("symmetric", "grounding/channel_swap")):
        assert verdicts(clips[name], {wanted: 1})["videossr.visible"].status == "pass"


def test_cuts_and_repeats_are_kept_as_data(tmp_path, clips):
    parts = [f for seed in (1, 2, 3) for f in moving(48, seed=seed)]
    [question] = made(clip_of(tmp_path / "cut.mp4", parts), {"grounding/mirror": 1}).questions
    assert question.detail.cuts == [16, 32]
    assert question.detail.repeated == 0
    loops = {"max_repeated": 1.0}
    [looped] = made(clips["loop"], {"jigsaw/4": 1}, checks=loops).questions
    assert looped.detail.repeated > 0.9
    assert looped.verdicts[-1].reason == "clips cannot be told apart"


def test_swap_needs_another_video(travel, splashes):
    [alone] = made(travel, {"grounding/swap": 1}).questions
    assert alone.verdicts[-1].reason == "other video: no other video"
    [both] = made(travel, {"grounding/swap": 1}, splashes).questions
    assert both.verdicts[-1].status == "pass"


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


def test_rejected_candidates_have_no_media_and_ids_of_their_own(travel):
    from synthmill.schemas.identity import content_id
    from tests.generators.videossr.footage import video_of

    video: Video = video_of(travel)
    ids = {content_id(_rejected(video, name, ())) for name in ("video", "jigsaw/6")}
    assert len(ids) == 2
