"""From a sample's clips to files: single pictures or MP4 clips, equal bytes kept once."""

import hashlib
from dataclasses import dataclass

from synthmill.generators.videossr.records import Clip, Sample
from synthmill.generators.videossr.settings import Form
from synthmill.sources.video.container import Unusable
from synthmill.sources.video.reading import Pixels
from synthmill.sources.video.writing import SMALLEST_SIDE, clip_bytes, image_bytes


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file of a question, named by the hash of its bytes: a frame of a clip, or a whole clip.

    `second` is where it stands on the clip's axis; `frames` how many frames it holds.
    """

    sha256: str
    clip: int
    place: int
    second: float
    frames: int = 1


class Encoder:
    """Encodes the questions of one video; `base` are the sampled frames that most of them show.

    Raises:
        Unusable: the frames are too narrow for the encoders of clips.
    """

    def __init__(self, form: Form, base: Pixels) -> None:
        height, width = base.shape[1:3]
        if form.media == "clip" and min(width, height) < SMALLEST_SIDE:
            raise Unusable("too narrow", f"frames of {width}x{height}, clips need {SMALLEST_SIDE}")
        self.files: dict[str, bytes] = {}
        self._form = form
        self._base = base
        self._encoded: dict[int, str] = {}  # sampled frames that are among the files

    def files_of(self, sample: Sample) -> tuple[MediaFile, ...]:
        """The files of a sample, clip after clip."""
        pack = self._frames if self._form.media == "frames" else self._whole
        return tuple(
            file
            for number, clip in enumerate(sample.clips)
            for file in pack(number, clip, sample.seen.pixels, sample.step_ms)
        )

    def _frames(self, number: int, clip: Clip, base: Pixels, step_ms: int) -> list[MediaFile]:
        return [
            MediaFile(self._frame(clip, place, base), number, place, place * step_ms / 1000)
            for place in range(len(clip.order))
        ]

    def _frame(self, clip: Clip, place: int, base: Pixels) -> str:
        if place in clip.changed or base is not self._base:
            return self._image(clip.frame(place, base))
        index = clip.order[place]
        if index not in self._encoded:
            self._encoded[index] = self._image(base[index])
        return self._encoded[index]

    def _image(self, pixels: Pixels) -> str:
        return self._keep(image_bytes(pixels, self._form.image, self._form.quality))

    def _whole(self, number: int, clip: Clip, base: Pixels, step_ms: int) -> list[MediaFile]:
        data = clip_bytes(clip.frames(base), step_ms, self._form.codec)
        return [MediaFile(self._keep(data), number, 0, 0.0, len(clip.order))]

    def _keep(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        self.files[name] = data
        return name
