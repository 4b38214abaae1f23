"""Which page is read next (DDAS, arXiv 2604.04771, section 3.1): clusters, probes, weights.

Pages are clustered by what they look like. Some pages of each cluster are read first; the tiers
found there weigh the cluster, and further pages are taken in proportion to the weights. The paper
clusters 512 features of a vision transformer; here it is a light descriptor of where the ink is.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthmill.generators.mineru_pro.settings import PageSampling
from synthmill.schemas.base import Record
from synthmill.schemas.identity import keyed_seed
from synthmill.sources.documents.ocr.base import gray, open_image
from synthmill.sources.pages import PageFile, page_image

Features = NDArray[np.float64]
# All are ours.
THUMBNAIL_DPI = 36.0
THUMBNAIL_PIXELS = 400_000
GRID = 12  # the page's ink is summed in so many rows and columns
BANDS = 16  # of the spectra of the ink's profiles: line distance, columns
ROUNDS = 50  # of k-means at most
MAX_CLUSTERS = 64


class ClusterState(Record):
    """A cluster: its pages, how many were taken, and what was found on those that are done."""

    pages: int
    taken: int = 0
    easy: int = 0
    medium: int = 0
    hard: int = 0
    valid: int = 0
    invalid: int = 0


def descriptor(page: PageFile) -> list[float]:
    """Where the ink of a page is, how its lines and columns repeat, its shape; in a worker.

    Raises:
        OSError: the page cannot be rendered.
    """
    image = open_image(page_image(page, THUMBNAIL_DPI, THUMBNAIL_PIXELS))
    ink = 1.0 - gray(image).astype(np.float64) / 255
    grid = [
        float(part.mean()) if part.size else 0.0
        for band in np.array_split(ink, GRID, axis=0)
        for part in np.array_split(band, GRID, axis=1)
    ]
    spectra = [_spectrum(ink.mean(axis=axis)) for axis in (0, 1)]
    shape = [math.log(page.width / page.height), float(ink.mean()), float(ink.std())]
    return [*_unit(grid), *spectra[0], *spectra[1], *shape]


def cluster_pages(features: Features, clusters: int, seed: int) -> NDArray[np.int64]:
    """The cluster of each row of features: k-means with k-means++ starts, the same for a seed."""
    rng = np.random.default_rng(seed)
    centers = features[rng.integers(len(features))][None]
    while len(centers) < min(clusters, len(features)):
        distance = _distances(features, centers).min(axis=1)
        if not distance.sum():
            break  # fewer distinct pages than clusters
        centers = np.vstack(
            [centers, features[rng.choice(len(features), p=distance / distance.sum())]]
        )
    labels = _distances(features, centers).argmin(axis=1)
    for _ in range(ROUNDS):
        centers = np.array(
            [
                features[labels == k].mean(axis=0) if (labels == k).any() else centers[k]
                for k in range(len(centers))
            ]
        )
        renewed = _distances(features, centers).argmin(axis=1)
        if (renewed == labels).all():
            break
        labels = renewed
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def cluster_count(pages: int, settings: PageSampling) -> int:
    """The number of clusters that the settings ask for."""
    if settings.clusters is not None:
        return settings.clusters
    return min(MAX_CLUSTERS, max(1, round(math.sqrt(pages / 2))))


def weight(cluster: ClusterState, settings: PageSampling) -> float:
    """How much a cluster is worth per page taken; 0 where it is dropped as invalid.

    ``N^0.4 * (gains over the shares of tiers) * (1 + 0.35 * entropy)``, the entropy of the three
    shares in units of its maximum. Each tier has one element more than was found, so a cluster of
    which little is known is near the mean.
    """
    done = cluster.valid + cluster.invalid
    if done and cluster.invalid / done > settings.max_invalid:
        return 0.0
    counts = np.array([cluster.easy + 1, cluster.medium + 1, cluster.hard + 1], np.float64)
    shares = counts / counts.sum()
    gain = float(shares @ [settings.easy, settings.medium, settings.hard])
    entropy = float(-(shares * np.log(shares)).sum() / math.log(3))
    return cluster.pages**settings.size_power * gain * (1 + settings.entropy * entropy)


def next_cluster(clusters: Sequence[ClusterState], settings: PageSampling) -> int | None:
    """The cluster of the next page: probes first, in turns, then by weight.

    A cluster's share of the pages taken approaches its share of the weights (Sainte-Lague's
    method: the largest weight per ``2 * taken + 1``), so no random draw is needed.
    """
    open_ = [k for k, cluster in enumerate(clusters) if cluster.taken < cluster.pages]
    probing = [k for k in open_ if clusters[k].taken < settings.probe]
    if probing:
        return min(probing, key=lambda k: (clusters[k].taken, k))
    worth = {k: weight(clusters[k], settings) / (2 * clusters[k].taken + 1) for k in open_}
    best = max(worth, key=lambda k: (worth[k], -k), default=None)
    return best if best is not None and worth[best] > 0 else None


def page_order(pages: Sequence[PageFile], labels: Sequence[int]) -> list[list[int]]:
    """The places of the pages of each cluster, in an order that depends on their content alone."""
    order: list[list[int]] = [[] for _ in range(max(labels, default=-1) + 1)]
    for place in sorted(range(len(pages)), key=lambda k: keyed_seed("page", pages[k].key)):
        order[labels[place]].append(place)
    return order


def _spectrum(profile: NDArray[np.float64]) -> list[float]:
    """The energy of a profile of ink in bands of frequency, summing to 1."""
    power = np.abs(np.fft.rfft(profile - profile.mean()))[1:] ** 2
    bands = [float(part.sum()) for part in np.array_split(power, BANDS)]
    total = sum(bands)
    return [band / total for band in bands] if total else bands


def _unit(values: Sequence[float]) -> list[float]:
    length = math.hypot(*values)
    return [value / length for value in values] if length else list(values)


def _distances(features: Features, centers: Features) -> Features:
    squares = (features**2).sum(axis=1)[:, None] + (centers**2).sum(axis=1)[None]
    return np.maximum(squares - 2 * features @ centers.T, 0.0)
