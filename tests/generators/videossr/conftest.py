import pytest

from tests.generators.videossr import footage


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("footage")


@pytest.fixture(scope="session")
def travel(folder):
    """A camera that travels over a landscape."""
    return footage.scene_clip(folder / "travel", seed=1)


@pytest.fixture(scope="session")
def splashes(folder):
    """Things that move over a background at rest."""
    return footage.crowd_clip(folder / "splashes", seed=2)
