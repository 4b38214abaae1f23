"""Renders sample videos: ``python -m synthmill.sources.video.demo FOLDER --count 50``.

Nothing is downloaded. Scenes differ by seed; codecs and containers alternate. Files made with
H.264 come from the GPL encoder in PyAV's wheel: do not publish them.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import numpy as np
from numpy.typing import NDArray

from synthmill.sources.video.reading import Pixels
from synthmill.sources.video.writing import restore_scheduling

if TYPE_CHECKING:
    from av.video.stream import VideoStream

Scene = Callable[[float], Pixels]  # from time 0..1 to a frame

FORMATS = (
    ("mp4", "libsvtav1", {"preset": "12", "crf": "32", "svtav1-params": "lp=1"}),
    ("webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "crf": "32", "b": "0"}),
    ("mkv", "libx264", {"preset": "veryfast", "crf": "23"}),
    ("mov", "mpeg4", {"qscale": "3"}),
)


def panorama(rng: np.random.Generator, width: int, height: int) -> Pixels:
    """A painted landscape: hills of color, coarse and fine, with brush strokes all over it."""
    from PIL import Image, ImageDraw

    def hills(cells: int, low: int, high: int) -> NDArray[np.int16]:
        grid = rng.integers(low, high, (cells, 2 * cells, 3)).astype(np.uint8)
        image = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(image).astype(np.int16)

    painted = np.clip(hills(4, 20, 200) + hills(24, 0, 90) - 30, 0, 255).astype(np.uint8)
    image = Image.fromarray(painted)
    canvas = ImageDraw.Draw(image)
    for _ in range(int(width * height / 900)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        points = [(x + a, y + b) for a, b in rng.normal(0, 12, (4, 2)).cumsum(axis=0)]
        color = tuple(int(c) for c in rng.integers(0, 256, 3))
        canvas.line(points, fill=color, width=int(rng.integers(2, 6)), joint="curve")
    return np.asarray(image)


def pan(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A camera that travels over a landscape."""
    wide = panorama(rng, 4 * width, 2 * height)
    begin, end = rng.uniform(0, 0.3, 2), rng.uniform(0.7, 1, 2)
    room = np.array([3 * width, height])

    def frame(t: float) -> Pixels:
        x, y = ((begin + (end - begin) * t) * room).astype(int)
        return wide[y : y + height, x : x + width]

    return frame


def zoom(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A camera that moves in on a landscape while it turns."""
    from PIL import Image

    side = 2 * max(width, height)
    image = Image.fromarray(panorama(rng, side, side))
    turn, far = rng.uniform(-80, 80), rng.uniform(1.4, 1.9)

    def frame(t: float) -> Pixels:
        turned = image.rotate(turn * t, Image.Resampling.BILINEAR)
        half = min(width, height) * (far - (far - 0.6) * t) / 2
        wide = half * width / height
        middle = side / 2
        box = (middle - wide, middle - half, middle + wide, middle + half)
        return np.asarray(turned.resize((width, height), Image.Resampling.BILINEAR, box=box))

    return frame


def crowd(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Things that move over a background at rest."""
    from PIL import Image, ImageDraw

    behind = panorama(rng, width, height)
    count = 9
    place, way = rng.uniform(0, 1, (count, 2)), rng.uniform(-2, 2, (count, 2))
    size = rng.uniform(0.15, 0.35, count) * height
    colors = rng.integers(0, 256, (count, 3))
    # Splashes with many arms, unlike the shapes that are drawn and counted.
    arms = rng.uniform(0.4, 1.0, (count, 14)) * np.tile((1.0, 0.45), 7)
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)

    def frame(t: float) -> Pixels:
        image = Image.fromarray(behind)
        canvas = ImageDraw.Draw(image)
        things = zip(place, way, size, colors, arms, strict=True)
        for start, speed, side, color, arm in things:
            # Reflected at the walls: a triangle wave.
            x, y = np.abs((start + speed * t + 1) % 2 - 1) * (width, height)
            xs, ys = x + side * arm * np.cos(angles), y + side * arm * np.sin(angles)
            canvas.polygon(list(zip(xs, ys, strict=True)), fill=tuple(int(c) for c in color))
        return np.asarray(image)

    return frame


def text(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Lines of text that roll up over a landscape, and a counter."""
    from PIL import Image, ImageDraw

    behind = panorama(rng, width, height)
    lines = ["".join(chr(97 + c) for c in rng.integers(0, 26, 14)) for _ in range(60)]
    step = height / 8

    def frame(t: float) -> Pixels:
        image = Image.fromarray(behind)
        canvas = ImageDraw.Draw(image)
        for number, line in enumerate(lines):
            y = height + step * (number - t * len(lines) * 0.8)
            if -step < y < height:
                canvas.text((width * 0.15, y), line, fill=(255, 255, 255), font_size=step * 0.8)
        canvas.text((4, 4), f"{1000 * t:4.0f}", fill=(255, 255, 0), font_size=step)
        return np.asarray(image)

    return frame


def grain(rng: np.random.Generator, width: int, height: int) -> Scene:
    """A travelling camera whose film is grainy."""
    clean = pan(rng, width, height)
    film = rng.normal(0, 12, (4, height, width, 1))

    def frame(t: float) -> Pixels:
        noise = film[int(1000 * t) % len(film)]
        return np.clip(clean(t) + noise, 0, 255).astype(np.uint8)

    return frame


def montage(rng: np.random.Generator, width: int, height: int) -> Scene:
    """Five shots with hard cuts between them."""
    kinds = (pan, zoom, crowd)
    shots = [kinds[rng.integers(len(kinds))](rng, width, height) for _ in range(5)]
    return lambda t: shots[min(4, int(5 * t))](5 * t % 1)


SCENES = (pan, zoom, crowd, text, grain, montage)


def encode(
    path: Path,
    frames: Iterable[Pixels],
    fps: int = 24,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    times: Iterable[int] | None = None,
    pix_fmt: str = "yuv420p",
) -> None:
    """Write frames to a file; `times` are time stamps in milliseconds for a variable rate."""
    import av

    with av.open(str(path), "w") as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=fps, options=options or {}))
        stream.pix_fmt = pix_fmt
        stamps = iter(times) if times is not None else None
        if stamps is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for index, pixels in enumerate(frames):
            if index == 0:
                stream.height, stream.width = pixels.shape[:2]
                stream.codec_context.open()
                restore_scheduling()
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = index if stamps is None else next(stamps)
            frame.time_base = Fraction(1, fps) if stamps is None else Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def play(scene: Scene, seconds: float, fps: int = 24) -> Iterable[Pixels]:
    """The frames of a scene."""
    count = round(seconds * fps)
    return (scene(index / count) for index in range(count))


def render(
    folder: Path, count: int, width: int = 320, height: int = 240, seed: int = 0
) -> list[Path]:
    """Render `count` different clips of 6 to 9 seconds into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        make = SCENES[number % len(SCENES)]
        suffix, codec, options = FORMATS[number % len(FORMATS)]
        path = folder / f"{number:03d}-{make.__name__}.{suffix}"
        seconds = rng.uniform(6, 9)
        encode(path, play(make(rng, width, height), seconds), codec=codec, options=options)
        paths.append(path)
    return paths


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--count", default=12, show_default=True, help="number of clips")
@click.option("--width", default=320, show_default=True, help="pixels")
@click.option("--height", default=240, show_default=True, help="pixels")
@click.option("--seed", default=0, show_default=True, help="another seed, other clips")
def main(folder: Path, count: int, width: int, height: int, seed: int) -> None:
    """Render and name the clips."""
    for path in render(folder, count, width, height, seed):
        click.echo(path)


if __name__ == "__main__":
    main()
