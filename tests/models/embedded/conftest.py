"""One loaded model for all tests of the folder."""

import pytest

from synthmill.models.embedded.language_model import LanguageModel


@pytest.fixture(scope="session")
def model():
    return LanguageModel()
