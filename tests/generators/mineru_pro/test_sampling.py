"""Clusters of pages, their weights, and which page comes next."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.mineru_pro.sampling import (
    ClusterState,
    cluster_count,
    cluster_pages,
    descriptor,
    next_cluster,
    weight,
)
from synthmill.generators.mineru_pro.settings import PageSampling
from synthmill.sources.pages import PagesSettings, PagesSource
from tests.generators.mineru_pro.made_pages import made_page, pdf_of

SETTINGS = PageSampling(probe=4)


def drawn(clusters, count, settings=SETTINGS):
    """How many pages of each cluster are taken in so many turns."""
    clusters, taken = list(clusters), Counter()
    for _ in range(count):
        number = next_cluster(clusters, settings)
        if number is None:
            break
        taken[number] += 1
        more = clusters[number].taken + 1
        clusters[number] = clusters[number].model_copy(update={"taken": more})
    return taken


def probed(pages=1000, **counts):
    return ClusterState(**{"pages": pages, "taken": 4, "valid": 4, **counts})


def test_pages_that_look_alike_are_in_one_cluster(tmp_path):
    """One column, two columns, and pages of tables."""
    kinds = [(1, 0), (2, 0), (1, 4)] * 4
    pages = [made_page(seed, columns=c, tables=t) for seed, (c, t) in enumerate(kinds)]
    (tmp_path / "a.pdf").write_bytes(pdf_of(pages))
    items = PagesSource(PagesSettings(path=tmp_path)).items()
    labels = cluster_pages(np.array([descriptor(page) for page in items]), 3, seed=0)
    groups = [set(labels[start::3]) for start in range(3)]
    assert all(len(group) == 1 for group in groups)
    assert len(set.union(*groups)) == 3


def test_every_cluster_is_probed_before_any_is_preferred():
    fresh = [ClusterState(pages=100), ClusterState(pages=2), ClusterState(pages=50)]
    assert drawn(fresh, 10) == {0: 4, 1: 2, 2: 4}


def test_easy_clusters_are_taken_less_and_mixed_ones_more():
    """Of clusters of one size, by their shares of tiers."""
    clusters = [probed(easy=40), probed(medium=40), probed(easy=14, medium=13, hard=13)]
    taken = drawn(clusters, 300)
    assert taken[0] < taken[2] < taken[1]
    assert weight(clusters[2], SETTINGS) == pytest.approx(
        1000**0.4 * (0.1 * 15 + 1.0 * 14 + 0.6 * 14) / 43 * 1.35, rel=1e-3
    )


def test_large_clusters_grow_less_than_their_size():
    taken = drawn([probed(pages=10_000, medium=9), probed(pages=100, medium=9)], 100)
    ratio = (taken[0] + 4) / (taken[1] + 4)
    assert ratio == pytest.approx(100**0.4, rel=0.2)


def test_invalid_clusters_are_dropped():
    clusters = [probed(valid=1, invalid=3, hard=9), probed(easy=40)]
    assert weight(clusters[0], SETTINGS) == 0.0
    assert set(drawn(clusters, 50)) == {1}
    assert next_cluster(clusters[:1], SETTINGS) is None


def test_the_number_of_clusters_follows_the_pages():
    assert [cluster_count(n, PageSampling()) for n in (1, 8, 200, 10**6)] == [1, 2, 10, 64]
    assert cluster_count(5, PageSampling(clusters=7)) == 7


@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=3), min_size=1),
    st.integers(1, 6),
)
def test_any_features_are_clustered(rows, count):
    """Labels count from 0 without gaps, and equal pages are together."""
    features = np.array(rows)
    labels = cluster_pages(features, count, seed=1)
    assert set(labels) == set(range(max(labels) + 1))
    assert max(labels) < count
    for i, row in enumerate(rows):
        assert labels[i] == labels[rows.index(row)]
    assert (labels == cluster_pages(features, count, seed=1)).all()
