"""Is the video a copy of one that an accepted row was made of, re-encoded, scaled or trimmed?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from synthmill.filters.base import DiversityFilter
from synthmill.generators.videossr.records import Detail
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict

if TYPE_CHECKING:
    import pyarrow as pa

Hashes = NDArray[np.uint64]
BITS = 64
BLOCK = 256  # ours: videos compared at once, few enough for the processor's cache


class NearDuplicateSettings(Settings):
    """How similar is too similar."""

    max_bits: float = Field(
        default=8.0, ge=0, le=64, description="mean differing bits of 64; unrelated frames: ~32"
    )


@dataclass(frozen=True, slots=True)
class Known:
    """A video's hashes, and the first accepted row made of it."""

    row_id: str
    hashes: Hashes


class NearDuplicateVideo(DiversityFilter):
    """Compares the perceptual hashes in a row's detail with those of all videos before it.

    The distance of two videos is the mean, over the frames of the one, of the differing bits to
    the most similar frame of the other; the smaller of both directions, so a trimmed copy is found
    too. Rows of one and the same file do not count as duplicates: their questions differ. Not
    found: mirrored or cropped copies. Thresholds are ours. Memory: about 400 bytes a video.
    """

    name: ClassVar[str] = "near_duplicate_video"
    Settings = NearDuplicateSettings
    settings: NearDuplicateSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._videos: dict[str, Known] = {}  # by SHA-256, in order of arrival

    @property
    def parameters(self) -> dict[str, Any]:
        """The hash's version; the threshold is read by `judge` alone."""
        return {"perceptual_hash": 1}

    def judge(self, candidate: Candidate) -> Verdict:
        """Fail with the video matched; the score is the share of equal bits."""
        found = _hashes(candidate)
        if found is None:
            return self.verdict("skipped", "no video")
        video, hashes = found
        if video in self._videos or not self._videos:
            return self.verdict("pass", score=0.0)
        known = list(self._videos.items())
        apart = np.concatenate(
            [
                distances(hashes, [of.hashes for _, of in known[at : at + BLOCK]])
                for at in range(0, len(known), BLOCK)
            ]
        )
        place = int(apart.argmin())
        bits = float(apart[place])
        nearest, of_row = known[place]
        return self.verdict(
            "fail" if bits <= self.settings.max_bits else "pass",
            "near-duplicate video" if bits <= self.settings.max_bits else None,
            score=round(1 - bits / BITS, 4),
            detail=f"{bits:.1f} bits from video {nearest}, row {of_row.row_id}",
        )

    def __len__(self) -> int:
        return len(self._videos)

    def add(self, row_id: str, candidate: Candidate) -> None:
        """Remember the row's video, if it is a new one."""
        found = _hashes(candidate)
        if found is not None:
            video, hashes = found
            self._videos.setdefault(video, Known(row_id, hashes))

    def to_arrow(self, start: int, stop: int) -> "pa.Table":
        """Columns `row_id`, `video` and `hashes`."""
        import pyarrow as pa

        rows = list(islice(self._videos.items(), start, stop))
        hashes = [known.hashes.tolist() for _, known in rows]
        return pa.table(
            {
                "row_id": pa.array([known.row_id for _, known in rows], pa.string()),
                "video": pa.array([video for video, _ in rows], pa.string()),
                "hashes": pa.array(hashes, pa.list_(pa.uint64())),
            }
        )

    def from_arrow(self, table: "pa.Table") -> None:
        """Take over dumped rows."""
        for row in table.to_pylist():
            hashes = np.array(row["hashes"], np.uint64)
            self._videos[row["video"]] = Known(row["row_id"], hashes)


def distances(own: Hashes, others: Sequence[Hashes]) -> NDArray[np.float64]:
    """The distance of a video from each of `others`, all at once.

    One by one takes five times as long, and a dataset of 30,000 videos makes half a billion pairs.
    """
    counts = np.array([len(other) for other in others])
    starts = np.cumsum(counts) - counts
    bits = np.bitwise_count(np.concatenate(others)[:, None] ^ own[None, :])
    theirs = np.add.reduceat(bits.min(axis=1), starts, dtype=np.float64) / counts
    ours = np.minimum.reduceat(bits, starts, axis=0).mean(axis=1)
    return np.minimum(theirs, ours)


def _hashes(candidate: Candidate) -> tuple[str, Hashes] | None:
    try:
        detail = Detail.model_validate_json(candidate.detail)
    except ValidationError:
        return None
    if not detail.hashes:
        return None
    return detail.video, np.array([int(text, 16) for text in detail.hashes], np.uint64)
