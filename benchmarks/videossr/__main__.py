"""Samples a second against plain decoding, scaling over workers, memory over many videos.

Everything is measured in one run on rendered clips: ``python -m benchmarks.videossr --help``.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import click
import numpy as np
import psutil
from av.video.reformatter import VideoReformatter

from synthmill.generators.videossr import work
from synthmill.generators.videossr.decoded_video import timeline
from synthmill.generators.videossr.settings import SubType, VideossrSettings
from synthmill.pipelines.run import start
from synthmill.runtime.workers import WorkerPool
from synthmill.schemas.recipe import Recipe
from synthmill.sources.video.demo import render
from synthmill.sources.video.reading import fitted_size
from synthmill.sources.videos import Video, VideosSettings, VideosSource
from synthmill.store.home import Home

MIRROR = SubType("grounding", "mirror")


def plain_decode(video: Video, settings: VideossrSettings, one_scaler: bool) -> int:
    """The same frames by a plain PyAV loop: decoded in one thread, sampled, as RGB arrays.

    `one_scaler` spares what `to_ndarray` does for every frame anew, and is faster.
    """
    scaler = VideoReformatter()
    width, height = fitted_size(video.info.width, video.info.height, settings.sampling.max_pixels)
    moments = [m / 1000 for m in timeline(video.info, settings.sampling).moments()]
    frames: list[np.ndarray] = []
    with av.open(video.path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            if frame.time >= moments[len(frames)]:
                if one_scaler:
                    frame = scaler.reformat(frame, width, height, "rgb24", threads=1)
                frames.append(frame.to_ndarray(format="rgb24", width=width, height=height))
            if len(frames) == len(moments):
                break
    return len(frames)


def job(video: Video, settings: VideossrSettings, seed: int = 0) -> work.VideoJob:
    """One grounding sample of a video."""
    return work.VideoJob(video, None, ((MIRROR, seed),), settings)


def speed(videos: list[Video], settings: VideossrSettings, rounds: int) -> None:
    """Plain decoding and whole samples, video by video in turn, so that both meet the same load."""
    parts: dict[str, Callable[[Video], object]] = {
        "plain decoding": lambda video: plain_decode(video, settings, one_scaler=False),
        "decoding, one scaler": lambda video: plain_decode(video, settings, one_scaler=True),
        "whole samples": lambda video: work.make(job(video, settings)).questions[0],
    }
    spent = dict.fromkeys(parts, 0.0)
    for _ in range(rounds):
        for video in videos:
            for name, part in parts.items():
                begun = time.process_time()
                part(video)
                spent[name] += time.process_time() - begun
    whole = spent["whole samples"]
    for name, seconds in spent.items():
        rate = rounds * len(videos) / seconds
        click.echo(f"  {name:22} {rate:6.2f} videos a CPU second; ratio {seconds / whole:.2f}")


async def scaling(videos: list[Video], settings: VideossrSettings, rounds: int) -> None:
    """Samples a second in the engine's worker pool, by number of workers."""
    for workers in (1, 2):
        async with WorkerPool(workers) as pool:
            warm = [pool.run(work.make, job(videos[0], settings)) for _ in range(workers)]
            await asyncio.gather(*warm)
            jobs = [job(video, settings, seed) for seed in range(rounds) for video in videos]
            begun = time.perf_counter()
            await asyncio.gather(*(pool.run(work.make, one) for one in jobs))
            rate = len(jobs) / (time.perf_counter() - begun)
        load = os.getloadavg()[0]
        click.echo(f"  {workers} workers: {rate:6.2f} samples a second (load {load:.1f})")


async def memory(folder: Path, count: int) -> None:
    """Resident memory of the engine and its workers while a run goes over many hard links."""
    [clip] = render(folder / "one", 1, 192, 144)
    links = folder / "links"
    links.mkdir()
    for number in range(count):
        os.link(clip, links / f"{number:05d}{clip.suffix}")
    recipe = Recipe.model_validate(
        {
            "name": "memory",
            "source": {"type": "videos", "path": str(links), "duplicates": "keep"},
            "generator": {"name": "videossr"},
            "models": {},
            "output": {"dataset": "memory"},
        }
    )
    marks = _marks(count)
    mark = next(marks)

    def watch(progress: object) -> None:
        nonlocal mark
        done = progress.tasks  # type: ignore[attr-defined]
        if done >= mark:
            main, workers = _resident()
            click.echo(f"  {done:5d} videos: engine {main:5.0f} MB, workers {workers:5.0f} MB")
            while mark <= done:
                mark = next(marks)

    begun = time.perf_counter()
    report = await start(recipe, Home(folder / "home"), on_progress=watch)
    rate = report.tasks / (time.perf_counter() - begun)
    click.echo(f"  {report.tasks} videos, {report.accepted} rows, {rate:.2f} videos a second")


def _marks(count: int) -> Iterator[float]:
    yield from (count * share // 10 for share in range(1, 11))
    yield float("inf")


def _resident() -> tuple[float, float]:
    """Megabytes of this process, and of all below it."""
    process = psutil.Process()
    below = 0
    for child in process.children(recursive=True):
        try:
            below += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return process.memory_info().rss / 1e6, below / 1e6


@click.command(help=__doc__)
@click.option("--clips", default=12, show_default=True, help="rendered clips of 640x360")
@click.option("--rounds", default=2, show_default=True, help="passes over the clips")
@click.option("--many", default=1000, show_default=True, help="hard links for the memory test")
def main(clips: int, rounds: int, many: int) -> None:
    """Run all parts."""
    os.environ["SVT_LOG"] = "1"
    settings = VideossrSettings()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        render(folder / "clips", clips, 640, 360)
        source = VideosSource(VideosSettings(path=str(folder / "clips")))
        videos = [item for item in source.items() if isinstance(item, Video)]
        seconds = sum(video.info.seconds for video in videos)
        click.echo(f"{len(videos)} clips of 640x360, {seconds:.0f} s; grounding, frames as output")
        speed(videos, settings, rounds)
        click.echo("workers")
        asyncio.run(scaling(videos, settings, rounds))
        click.echo("memory")
        asyncio.run(memory(folder, many))


if __name__ == "__main__":
    main()
