import pytest

from synthmill.schemas.errors import InputError
from synthmill.store.dataset import Dataset
from synthmill.store.tags import read_tags, remove_tag, resolve, set_tag
from tests.store.building import commit, make_rows


def test_tags_name_versions_and_can_be_moved(dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 3), 0)
    commit(dataset, make_rows(3, 6), 1)
    assert set_tag(dataset, "v1.0", 1) == 1
    assert set_tag(dataset, "best") == 2
    assert read_tags(dataset.folder) == {"best": 2, "v1.0": 1}
    assert set_tag(dataset, "best", 1) == 1
    assert [resolve(dataset, p) for p in ("best", "v1.0", "2", 0, None, "latest")] == [
        1, 1, 2, 0, 2, 2,
    ]  # fmt: skip
    remove_tag(dataset, "best")
    assert read_tags(dataset.folder) == {"v1.0": 1}


@pytest.mark.parametrize("tag", ["", "1", "../x", "a/b", ".x", "a b", "x" * 65, "latest"])
def test_bad_names_are_refused(dataset: Dataset, tag: str) -> None:
    with pytest.raises(InputError, match="cannot name a version"):
        set_tag(dataset, tag)
    assert read_tags(dataset.folder) == {}


def test_unknown_tags_and_versions_are_said(dataset: Dataset) -> None:
    set_tag(dataset, "first")
    with pytest.raises(InputError, match=r"no tag 'fist' \(did you mean 'first'\?\)"):
        resolve(dataset, "fist")
    with pytest.raises(InputError, match="no version 9"):
        resolve(dataset, "9")
    with pytest.raises(InputError, match="no version 9"):
        set_tag(dataset, "x", 9)
    with pytest.raises(InputError, match="no tag 'x'"):
        remove_tag(dataset, "x")
