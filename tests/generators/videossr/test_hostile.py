"""Broken, odd and malicious files: each a clear reason, none a hang."""

import os
import re
import shutil
import time
from itertools import islice
from pathlib import Path
from random import Random

import av
import numpy as np
import pytest

from synthmill.generators.base import Task
from synthmill.generators.videossr.generator import Videossr, VideoTask
from synthmill.generators.videossr.settings import VideossrSettings
from synthmill.generators.videossr.work import WorkResult
from synthmill.runtime.workers import WorkerCrashed
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import content_id
from synthmill.schemas.items import InvalidItem
from synthmill.sources.video.container import UnusableVideo
from synthmill.sources.video.probe import probe
from synthmill.sources.video.reading import frames_at
from synthmill.sources.videos import Video, VideosSettings, VideosSource, find_entries
from tests.generators.videossr import footage

REASONS = {
    "empty": {"empty file"},
    "text": {"corrupt"},
    "truncated": {"corrupt", "truncated"},
    "noise": {"corrupt"},
    "overwritten": {"corrupt"},
    "huge": {"too large", "corrupt"},
    "playlist": {"corrupt"},
    "concat": {"corrupt"},
    "audio": {"no video stream"},
    "short": {"too short"},
    "keyless": {"no key frame", "corrupt"},
}


def reasons(path) -> tuple[str, str]:
    """Why a file cannot be used: by the source, or else by the generator."""
    [item] = VideosSource(VideosSettings(path=str(path), probe_seconds=20)).items()
    if isinstance(item, InvalidItem):
        return item.reason, item.detail
    [(_, failure)] = footage.made(path, {"grounding/mirror": 1}).failures
    return failure.reason, failure.detail


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    good = footage.scene_clip(folder / "good", seed=3, seconds=6)
    mp4 = footage.clip_of(folder / "good.mp4", footage.moving(144))
    good.unlink()
    return footage.hostile(folder, mp4)


@pytest.mark.parametrize("name", REASONS)
def test_each_bad_file_has_its_reason(bad, name):
    started = time.monotonic()
    reason, detail = reasons(bad[name])
    assert reason in REASONS[name], detail
    assert detail and str(bad[name].parent) not in reason
    assert time.monotonic() - started < 20


def test_a_playlist_cannot_make_us_read_other_files(bad, tmp_path):
    """Neither under a video's name nor as a concat script does anything but the file get opened."""
    other = footage.clip_of(tmp_path / "secret.mp4", footage.moving(48))
    for text in (
        f"#EXTM3U\n#EXTINF:2,\n{other}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{other}'\n",
    ):
        trap = tmp_path / "trap.mp4"
        trap.write_text(text)
        with pytest.raises(UnusableVideo, match="corrupt"):
            probe(trap)


def test_a_truncated_file_whose_header_came_first(tmp_path):
    whole = tmp_path / "whole.mp4"
    with av.open(str(whole), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "18"})
        stream.pix_fmt, stream.width, stream.height = "yuv420p", footage.WIDTH, footage.HEIGHT
        for pixels in footage.moving(144):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = whole.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    whole.write_bytes(data[: len(data) * 6 // 10])
    reason, detail = reasons(whole)
    assert reason == "truncated" and "of the stated 6.00 s" in detail


def test_a_truncated_webm(tmp_path):
    path = footage.scene_clip(tmp_path / "cut", seed=1, form=1)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert reasons(path)[0] in ("truncated", "corrupt")


def test_variable_frame_rate_shows_what_a_viewer_sees(tmp_path):
    path = tmp_path / "uneven.mp4"
    frames = [np.full((144, 192, 3), 4 * k, np.uint8) for k in range(60)]
    times = [k * 40 if k < 30 else 1200 + (k - 30) * 160 for k in range(60)]
    footage.encode(path, frames, 25, "libx264", {"crf": "10"}, times=times)
    info = probe(path).info
    assert info.variable_rate and info.frames == 60
    seen = frames_at(path, [0, 39, 40, 1199, 1359, 1360, 5000], (192, 144))
    levels = [float(frame.mean()) / 4 for frame in seen.pixels]
    assert levels == pytest.approx([0, 0, 1, 29, 30, 31, 53], abs=0.7)
    assert seen.times == (0, 0, 40, 1160, 1200, 1360, 4880)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_metadata_is_turned_upright(tmp_path, degrees):
    path = tmp_path / "turned.mp4"
    upright = np.zeros((144, 192, 3), np.uint8)
    upright[:72, :96] = 255  # the upper left quarter is white
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "10"})
        stream.pix_fmt, stream.width, stream.height = "yuv420p", 192, 144
        stream.set_display_rotation(degrees)
        for _ in range(24):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(upright, format="rgb24")))
        container.mux(stream.encode(None))
    info = probe(path).info
    size = (144, 192) if degrees % 180 else (192, 144)
    assert (info.width, info.height) == size and info.rotation in (degrees, 360 - degrees)
    with av.open(str(path)) as container:
        turns = round(next(container.decode(video=0)).rotation / 90)
    expected = np.rot90(upright, turns)
    assert np.abs(frames_at(path, [0], size).pixels[0].astype(int) - expected).mean() < 6


def test_cover_art_is_no_video(tmp_path):
    path = tmp_path / "song.mp4"
    footage._audio(path)
    with av.open(str(path)) as container:
        assert not container.streams.video
    with pytest.raises(UnusableVideo, match="no video stream"):
        probe(path)


def test_a_pipe_under_the_name_of_a_video_is_not_opened(tmp_path):
    for name in "abc":
        footage.clip_of(tmp_path / f"{name}.mp4", footage.moving(48, seed=ord(name)))
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "b.mp4").unlink()
    (tmp_path / "b.mp4").symlink_to(tmp_path / "pipe.mp4")
    (tmp_path / "list.txt").write_text("a.mp4\nb.mp4\nc.mp4\n")
    found = VideosSource(VideosSettings(path=str(tmp_path / "list.txt"), probe_seconds=5)).items()
    assert [getattr(item, "reason", "read") for item in found] == ["read", "missing file", "read"]


def test_a_reader_that_wants_too_much_time_or_memory_is_refused(tmp_path):
    path = footage.clip_of(tmp_path / "a.mp4", footage.moving(48))
    [item] = VideosSource(VideosSettings(path=str(path), probe_mb=1)).items()
    # FFmpeg reports a failed allocation as damage of the file.
    assert isinstance(item, InvalidItem) and item.reason in ("memory limit of 1 MB", "corrupt")
    os.truncate(path, 2**31)  # hashing it takes a second at least
    [item] = VideosSource(VideosSettings(path=str(path), probe_seconds=0.3)).items()
    assert isinstance(item, InvalidItem) and item.reason == "time limit of 0.3 s"


def test_size_limits_are_named(tmp_path):
    path = footage.clip_of(tmp_path / "a.mp4", footage.moving(48))
    for change, reason in (
        ({"max_pixels": 1000}, "too large"),
        ({"max_seconds": 1}, "too long"),
        ({"min_seconds": 60}, "too short"),
    ):
        [item] = VideosSource(VideosSettings(path=str(path), **change)).items()
        assert isinstance(item, InvalidItem) and item.reason == reason


def test_folders_globs_and_manifests(tmp_path):
    first = footage.clip_of(tmp_path / "b.mp4", footage.moving(48))
    (tmp_path / "deeper").mkdir()
    shutil.copy(first, tmp_path / "deeper" / "a.mp4")
    other = footage.clip_of(tmp_path / "c.mp4", footage.moving(48, seed=9))
    (tmp_path / "notes.txt").write_text("b.mp4\n\nc.mp4\n")
    (tmp_path / "list.csv").write_text("path,title,license\nc.mp4,Sea,CC0-1.0\n")
    (tmp_path / "list.jsonl").write_text('{"path": "missing.mp4"}\n')

    def items(path, **more):
        return list(VideosSource(VideosSettings(path=str(path), **more)).items())

    found = items(tmp_path)
    assert [type(item) for item in found] == [Video, Video, InvalidItem]
    assert [Path(item.origin.uri).name for item in found] == ["b.mp4", "c.mp4", "a.mp4"]
    assert found[2].reason == "duplicate file"
    kept = items(tmp_path, duplicates="keep")
    assert len({item.key for item in kept}) == 3
    assert len(items(tmp_path / "*.mp4")) == 2
    assert [item.path for item in items(tmp_path / "notes.txt")] == [str(first), str(other)]
    [sea] = items(tmp_path / "list.csv")
    assert (sea.origin.title, sea.origin.license) == ("Sea", "CC0-1.0")
    [missing] = items(tmp_path / "list.jsonl")
    assert missing.reason == "missing file"
    with pytest.raises(InputError, match="no videos at"):
        items(tmp_path / "nothing")
    (tmp_path / "bad.jsonl").write_text('{"file": 1}\n')
    with pytest.raises(InputError, match=r"bad\.jsonl:1: no `path`"):
        items(tmp_path / "bad.jsonl")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.jsonl", b'{"path": "a.mp4", "title": 5}', "1: `title` and `license` are strings"),
        ("m.jsonl", b"[" * 100_000, "1: not JSON"),
        ("m.jsonl", b"9" * 10_000, "1: not JSON"),
        ("m.txt", b"a.mp4\ncaf\xe9.mp4", "not UTF-8 from byte 10 on"),
        ("m.csv", b'path\n"' + b"a" * 200_000 + b'"', "broken CSV"),
        ("m.txt", b"a.mp4\n./a.mp4", "2: './a.mp4' is named for the second time"),
    ],
)
def test_a_manifest_that_cannot_be_read_says_where(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=re.escape(message)):
        find_entries(VideosSettings(path=str(tmp_path / name)))


def test_a_manifest_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbfpath\na.mp4\n")
    [entry] = find_entries(VideosSettings(path=str(tmp_path / "m.csv")))
    assert Path(entry.path) == tmp_path / "a.mp4"


def test_names_that_are_no_unicode_are_spelled_out(tmp_path):
    good = footage.clip_of(tmp_path / "a.mp4", footage.moving(48))
    folder = os.fsencode(tmp_path)
    shutil.copy(good, folder + b"/caf\xe9.mp4")
    Path(os.fsdecode(folder + b"/\xff.mp4")).write_bytes(b"broken")
    good.unlink()
    video, broken = VideosSource(VideosSettings(path=str(tmp_path))).items()
    assert video.origin.title == r"caf\udce9" and Path(video.path).is_file()
    assert broken.reason == "corrupt" and broken.excerpt == r"\udcff.mp4"
    assert all(text.isprintable() for text in (broken.detail, broken.origin.uri, video.origin.uri))


def test_a_source_asked_twice_reads_each_file_once(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_bytes(b"broken")
    source = VideosSource(VideosSettings(path=str(tmp_path)))
    first = [item.reason for item in islice(source.items(), 2)]
    for name in "ab":  # another read would say "empty file"
        (tmp_path / f"{name}.mp4").write_bytes(b"")
    assert first == ["corrupt"] * 2
    assert [item.reason for item in source.items()] == ["corrupt"] * 3


def test_the_parts_of_a_source_share_no_video(tmp_path):
    for seed in range(12):
        footage.clip_of(tmp_path / f"{seed}.mp4", footage.moving(30, 64, 64, seed), codec="mpeg4")

    def keys(part):
        settings = VideosSettings(path=str(tmp_path), part=part, held_out=0.4)
        return {item.key for item in VideosSource(settings).items()}

    train, held_out = keys("train"), keys("held_out")
    assert train | held_out == keys("all") and not train & held_out
    assert train and held_out


async def test_a_video_that_kills_its_worker_is_a_rejected_row(travel):
    class Context:
        def rng(self, purpose):
            return Random(purpose)

        async def run_in_worker(self, call, job, limits):
            raise WorkerCrashed("worker died")

    video = footage.video_of(travel)
    task = Task(key=video.key, item=VideoTask(video=video))
    [candidate] = [c async for c in Videossr(VideossrSettings()).generate(task, Context())]
    assert [v.reason for v in candidate.verdicts] == ["worker died"]


async def test_what_is_wrong_with_a_video_makes_rejected_rows_of_their_own(travel):
    class Context:
        def rng(self, purpose):
            return Random(purpose)

        async def run_in_worker(self, call, job, limits):
            lost = [(name, UnusableVideo("too short", "1 s")) for name in ("video", "jigsaw/6")]
            return WorkResult(failures=lost)

    video = footage.video_of(travel)
    task = Task(key=video.key, item=VideoTask(video=video))
    found = [c async for c in Videossr(VideossrSettings()).generate(task, Context())]
    assert len({content_id(candidate) for candidate in found}) == 2
    assert not any(candidate.media for candidate in found)


def test_time_stamps_that_run_backwards_are_refused(tmp_path):
    """As B-frames give that an encoder packed into one packet: shown order and stamps disagree."""
    good = footage.clip_of(
        tmp_path / "good.mkv", footage.moving(144), codec="mjpeg", pix_fmt="yuvj420p"
    )
    path = tmp_path / "backwards.mkv"
    with av.open(str(good)) as container, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        packets = [p for p in container.demux(video=0) if p.size]
        stamps = [p.pts for p in packets]
        for place, packet in enumerate(packets):
            swapped = place + 1 if place % 2 == 0 else place - 1
            packet.dts, packet.pts = stamps[place] - 100, stamps[min(swapped, len(stamps) - 1)]
            packet.stream = stream
            out.mux(packet)
    assert reasons(path)[0] == "time stamps run backwards"
