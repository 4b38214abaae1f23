from pathlib import Path

import pytest

from synthmill.store.dataset import Dataset
from synthmill.store.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "factory").prepare()


@pytest.fixture
def dataset(home: Home) -> Dataset:
    return Dataset.create(home, "my-set")
