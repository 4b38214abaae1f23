"""Writing frames and clips so that the same pixels always give the same bytes."""

import contextlib
import io
import os
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, cast

from synthmill.sources.video.reading import Pixels

if TYPE_CHECKING:
    from av.video.stream import VideoStream

Codec = Literal["av1", "vp9"]
ImageFormat = Literal["jpeg", "png"]

# One thread each: the work is spread over processes, and bytes must not depend on their number.
# Constant quality 24 and the speeds are ours: small files without visible blocks at 256x256.
ENCODERS: dict[Codec, tuple[str, dict[str, str]]] = {
    "av1": ("libsvtav1", {"preset": "10", "crf": "24", "svtav1-params": "lp=1"}),
    "vp9": (
        "libvpx-vp9",
        {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "7", "threads": "1"},
    ),
}
SMALLEST_SIDE = 4  # the SVT-AV1 of PyAV 18 refuses less


def image_bytes(pixels: Pixels, form: ImageFormat = "jpeg", quality: int = 95) -> bytes:
    """One (height, width, 3) frame as a JPEG (color at full resolution) or a lossless PNG."""
    from PIL import Image

    out = io.BytesIO()
    image = Image.fromarray(pixels)
    if form == "jpeg":
        image.save(out, "JPEG", quality=quality, subsampling=0)
    else:
        image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def clip_bytes(frames: Pixels, step_ms: int, codec: Codec = "av1") -> bytes:
    """(count, height, width, 3) frames as an MP4 file, one every `step_ms` milliseconds.

    The time stamps are whole milliseconds, so they are exact; sides must be even and at least
    `SMALLEST_SIDE`.
    """
    import av

    name, options = ENCODERS[codec]
    out = io.BytesIO()
    with av.open(out, "w", format="mp4", container_options={"fflags": "+bitexact"}) as container:
        rate = Fraction(1000, step_ms)
        stream = cast("VideoStream", container.add_stream(name, rate=rate, options=options))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.thread_count = 1
        stream.codec_context.open()
        restore_scheduling()
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index * step_ms, Fraction(1, 1000)
            frame.duration = step_ms
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def read_back(data: bytes) -> Pixels:
    """The (count, height, width, 3) frames of a file that `image_bytes` or `clip_bytes` wrote."""
    import av
    import numpy as np
    from PIL import Image

    if data[4:8] != b"ftyp":
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[None]
    with av.open(io.BytesIO(data), "r") as container:
        container.streams.video[0].codec_context.thread_count = 1
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).astype(np.uint8, copy=False)


def restore_scheduling() -> None:
    """Give all threads of this process the normal scheduling policy.

    SVT-AV1 makes the threads of a program that runs as root real-time (SCHED_FIFO, priority 99),
    and that of its caller too. Threads and processes started later inherit it, and nothing else on
    the machine gets a processor while they work.
    """
    if sys.platform != "linux":
        return
    for task in os.listdir("/proc/self/task"):  # noqa: PTH208
        with contextlib.suppress(OSError):  # it has ended, or is not ours to change
            if os.sched_getscheduler(int(task)) != os.SCHED_OTHER:
                os.sched_setscheduler(int(task), os.SCHED_OTHER, os.sched_param(0))
