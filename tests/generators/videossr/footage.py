"""Small rendered clips, good and hostile, for the tests; and reading back what was written."""

import io
import struct
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation
from hypothesis import HealthCheck, Phase, settings
from PIL import Image

from synthmill.filters.load import load_filter
from synthmill.filters.run import safe_judge
from synthmill.generators.videossr import work
from synthmill.generators.videossr.generator import Videossr
from synthmill.generators.videossr.settings import SubType, VideossrSettings, parse_sub_type
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict
from synthmill.sources.video.demo import FORMATS, crowd, encode, pan, play
from synthmill.sources.videos import Entry, Video, VideosSettings, look

WIDTH, HEIGHT, FPS = 192, 144, 24


def few(examples: int) -> settings:
    """Hypothesis settings for tests that decode video: few examples, always the same, unshrunk."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )


def scene_clip(path: Path, seed: int, scene=pan, seconds: float = 6.0, form: int = 2) -> Path:
    """A moving scene; `form` is a place in the demo's list of codecs."""
    rng = np.random.default_rng(seed)
    suffix, codec, options = FORMATS[form]
    path = path.with_suffix(f".{suffix}")
    encode(path, play(scene(rng, WIDTH, HEIGHT), seconds, FPS), FPS, codec, options)
    return path


def clip_of(path: Path, frames: Iterable[np.ndarray], codec: str = "libx264", **more) -> Path:
    """A clip of given frames."""
    options = {
        "libx264": {"crf": "18"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "0"},
    }
    encode(path, frames, FPS, codec, options.get(codec), **more)
    return path


def crowd_clip(path: Path, seed: int) -> Path:
    """Splashes that move over a background at rest."""
    return scene_clip(path, seed, scene=crowd)


def video_of(path: Path) -> Video:
    """The video as the source yields it."""
    found = look(Entry(path=str(path)), VideosSettings(path=str(path)))
    origin = SourceRef(uri=str(path))
    key = found.sha256[:16]
    return Video(key=key, path=str(path), sha256=found.sha256, info=found.info, origin=origin)


def made(
    path: Path, wanted: dict[str, int], other: Path | None = None, **settings
) -> work.WorkResult:
    """The questions of a video, made here and now; `wanted` maps sub-types to seeds."""
    pairs: tuple[tuple[SubType, int], ...] = tuple(
        (parse_sub_type(name), seed) for name, seed in wanted.items()
    )
    partner = video_of(other) if other else None
    return work.make(work.VideoJob(video_of(path), partner, pairs, VideossrSettings(**settings)))


def judged(question: work.VideoQuestion, **settings) -> dict[str, Verdict]:
    """The verdicts of the generator's own verifiers by name, but for those of other tasks.

    `settings` are those of the filters by name.
    """
    candidate = Candidate(kind="rlvr", detail=question.detail.model_dump_json())
    found = {}
    for spec in Videossr.default_filters:
        spec = spec.model_copy(update={"settings": settings.get(spec.name, {})})
        verdict = safe_judge(load_filter(spec), candidate)
        if verdict.status != "skipped":
            found[spec.name] = verdict
    return found


def passes(question: work.VideoQuestion) -> bool:
    """Whether the generator's own verifiers accept the question."""
    return all(verdict.status == "pass" for verdict in judged(question).values())


def shown_frames(made_of: work.WorkResult, question: work.VideoQuestion) -> list[np.ndarray]:
    """For each clip of a question its frames as written: (count, height, width, 3)."""
    clips: dict[int, list[np.ndarray]] = {}
    for file in question.files:
        data = made_of.files[file.sha256]
        if data[4:8] == b"ftyp":
            clips[file.clip] = [frame for _, frame in all_frames(io.BytesIO(data))]
        else:
            clips.setdefault(file.clip, []).append(np.asarray(Image.open(io.BytesIO(data))))
    return [np.stack(clips[number]).astype(np.int16) for number in sorted(clips)]


def all_frames(file) -> list[tuple[float, np.ndarray]]:
    """Seconds and pixels of every frame of a video, by plain PyAV."""
    # Color is stored at half the resolution: enlarge it as the generator does, or edges differ.
    exact = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
    with av.open(file if isinstance(file, io.BytesIO) else str(file)) as container:
        frames = [
            (frame.time, frame.to_ndarray(format="rgb24", interpolation=exact))
            for frame in container.decode(video=0)
        ]
    begin = frames[0][0]
    return [(time - begin, pixels) for time, pixels in frames]


def on_screen(frames: list[tuple[float, np.ndarray]], second: float) -> np.ndarray:
    """What a viewer sees at a second: the last frame that began before or then."""
    seen = [pixels for time, pixels in frames if time <= second + 5e-4]
    return seen[-1].astype(np.int16)


def hostile(folder: Path, good: Path) -> dict[str, Path]:
    """Broken, odd and malicious files, by what is wrong with them; `good` is an MP4 file."""
    data = good.read_bytes()
    files = {
        "empty": b"",
        "text": b"this is no video\n" * 100,
        "truncated": data[: len(data) // 2],
        "noise": np.random.default_rng(1).bytes(50_000),
        "overwritten": _overwritten(data),
        "playlist": b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    }
    paths = {name: folder / f"{name}.mp4" for name in files}
    for name, content in files.items():
        paths[name].write_bytes(content)
    # QuickTime animation takes its size from the header, where H.264 has its own.
    simple = clip_of(folder / "simple.mov", moving(24), codec="qtrle", pix_fmt="rgb24")
    paths["huge"] = folder / "huge.mov"
    paths["huge"].write_bytes(_with_size(simple.read_bytes(), 60000, 60000))
    paths["audio"] = _audio(folder / "audio.mp4")
    paths["short"] = clip_of(folder / "short.mp4", moving(3))
    paths["keyless"] = _without_key_frames(good, folder / "keyless.mkv")
    return paths


def moving(count: int, width: int = WIDTH, height: int = HEIGHT, seed: int = 5):
    """Frames of a travelling camera."""
    return play(pan(np.random.default_rng(seed), width, height), count / FPS, FPS)


def _overwritten(data: bytes) -> bytes:
    """The same file with a stretch of its frames replaced by rubbish."""
    begin = data.index(b"mdat") + len(data) // 4
    rubbish = np.random.default_rng(2).bytes(len(data) // 4)
    return data[:begin] + rubbish + data[begin + len(rubbish) :]


def _with_size(data: bytes, width: int, height: int) -> bytes:
    """The same file with another size in its sample entry (a `visual sample entry` box)."""
    where = data.index(b"rle ", data.index(b"stsd")) + 4 + 24
    return data[:where] + struct.pack(">HH", width, height) + data[where + 4 :]


def _audio(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        for start in range(0, 44100, 1024):
            wave = np.sin(np.arange(start, start + 1024) / 20).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _without_key_frames(source: Path, path: Path) -> Path:
    """The packets of a video but for its key frames."""
    with av.open(str(source)) as container, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(container.streams.video[0])
        for packet in container.demux(video=0):
            if packet.dts is not None and not packet.is_keyframe:
                packet.stream = stream
                out.mux(packet)
    return path
