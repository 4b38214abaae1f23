"""Frames at moments are the same whether groups of pictures are left out or not."""

import av
import numpy as np
import pytest

from synthmill.sources.video.gop_reader import frames_around
from synthmill.sources.video.reading import frames_at
from tests.generators.videossr import footage

OPEN = "keyint=12:open-gop=1:bframes=4"
KINDS = {
    "h264 closed": ("mp4", "libx264", {"g": "12", "bf": "3", "crf": "12"}),
    "h264 open": ("mkv", "libx264", {"x264-params": OPEN, "crf": "12"}),
    "h265 open": (
        "mp4",
        "libx265",
        {"x265-params": "keyint=12:open-gop=1:bframes=4:log-level=none"},
    ),
    "vp9": ("webm", "libvpx-vp9", {"g": "12", "deadline": "realtime", "cpu-used": "8"}),
    "av1": ("mp4", "libsvtav1", {"g": "17", "preset": "12", "crf": "20"}),
    "mpeg4": ("avi", "mpeg4", {"g": "12", "bf": "2", "qscale": "2"}),
    "one group": ("mp4", "libx264", {"g": "1000", "crf": "12"}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("moments", [[0, 2500, 5100, 7900], [3300, 3340, 6000], [0, 480, 500, 960]])
def test_skipping_shows_what_a_viewer_sees(tmp_path_factory, kind, moments):
    suffix, codec, options = KINDS[kind]
    path = tmp_path_factory.getbasetemp() / f"groups-{kind.replace(' ', '-')}.{suffix}"
    if not path.exists():
        footage.encode(path, footage.moving(200, 64, 64), 24, codec, options)
    whole = footage.all_frames(path)
    seen = frames_at(path, moments, (64, 64))
    for moment, pixels in zip(moments, seen.pixels, strict=True):
        expected = footage.on_screen(whole, moment / 1000)
        assert np.abs(pixels - expected).max() <= 1, (kind, moment)


def test_most_of_a_long_video_is_not_decoded(tmp_path):
    path = tmp_path / "long.mp4"
    options = {"g": "12", "crf": "30"}
    footage.encode(path, footage.moving(480, 64, 64), 24, "libx264", options)
    with av.open(str(path)) as container:
        frames = list(frames_around(container, container.streams.video[0], [0, 10_000, 19_000]))
    assert len(frames) < 150
    assert [frame.pts for frame in frames] == sorted(frame.pts for frame in frames)
