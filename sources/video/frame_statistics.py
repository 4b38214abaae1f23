"""Statistics of sampled frames: movement, black and frozen stretches, cuts, repeats, hashes.

Everything is measured on thumbnails of 32x32 pixels. All thresholds are ours (the paper filters
no videos); they are differences on the scale 0..1 of full brightness.
"""

import numpy as np
from numpy.typing import NDArray

from synthmill.sources.video.reading import Pixels

SIDE = 32
STILL = 0.004  # one gray level in 255, averaged over a thumbnail: what re-encoding leaves
BLACK = 0.06  # mean brightness; video black is 16 in 255
CUT = 0.15  # nearly all pixels change, which movement between two samples seldom does
HASH_SIDE = 8

Matrix = NDArray[np.float64]


def thumbnails(frames: Pixels) -> NDArray[np.uint8]:
    """(count, 32, 32, 3) area-averaged miniatures of (count, height, width, 3) frames."""
    from PIL import Image

    small = [
        np.asarray(Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BOX))
        for frame in frames
    ]
    return np.stack(small)


def differences(small: NDArray[np.uint8]) -> Matrix:
    """Mean absolute difference (0..1) of every frame with every other, from thumbnails."""
    flat = small.reshape(len(small), -1).astype(np.int16)
    return np.stack([np.abs(flat - row).mean(axis=1) for row in flat]) / 255


def moving_share(difference: Matrix) -> float:
    """Share of neighboring frames between which something moves."""
    return float((steps(difference) >= STILL).mean())


def steps(difference: Matrix) -> NDArray[np.float64]:
    """Difference of each frame from the one before it; one value fewer than frames."""
    return np.diagonal(difference, offset=1)


def frozen_share(difference: Matrix) -> float:
    """Length of the longest run of frames in which nothing moves, as a share of all frames."""
    longest = run = 0
    for step in steps(difference):
        run = run + 1 if step < STILL else 0
        longest = max(longest, run)
    return (longest + 1) / len(difference) if longest else 0.0


def black_share(small: NDArray[np.uint8]) -> float:
    """Share of frames that are black."""
    return float((small.reshape(len(small), -1).mean(axis=1) / 255 < BLACK).mean())


def repeated_share(difference: Matrix, apart: int) -> float:
    """Share of frames that are shown again at least `apart` frames away, with others between."""
    count = len(difference)
    repeated = 0
    for index in range(count):
        for other in np.flatnonzero(difference[index] < STILL):
            low, high = sorted((index, int(other)))
            if high - low >= apart and difference[index, low : high + 1].max() >= STILL:
                repeated += 1
                break
    return repeated / count


def cuts(difference: Matrix) -> list[int]:
    """Indices of the frames before which the scene changes."""
    return [int(index) + 1 for index in np.flatnonzero(steps(difference) >= CUT)]


def perceptual_hash(small: NDArray[np.uint8]) -> str:
    """The 64-bit DCT hash of a thumbnail, as 16 hex digits.

    The lowest 8x8 cosine coefficients of the gray picture, each compared with their median.
    Re-encoding, scaling and brightness change it little.
    """
    gray = small.mean(axis=2)
    low = (_COSINES @ gray @ _COSINES.T)[:HASH_SIDE, :HASH_SIDE].flatten()
    bits = low > np.median(low)
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):016x}"


def _cosines() -> Matrix:
    """The DCT-II basis, one row per frequency (unscaled: only signs against a median count)."""
    place = np.arange(SIDE)
    return np.cos(np.pi * np.outer(place, 2 * place + 1) / (2 * SIDE))


_COSINES = _cosines()
