"""Token F1 as SQuAD scores it."""

import pytest

from synthmill.rewards.squad import mentions, normalize_squad, token_f1


@pytest.mark.parametrize(
    ("said", "true", "f1"),
    [
        ("The Eiffel Tower!", "eiffel tower", 1.0),
        ("12,345", "12345", 1.0),
        ("in Paris, France", "Paris", 0.5),
        ("Lyon", "Paris", 0.0),
        ("", "Paris", 0.0),
        ("the", "a", 1.0),
        ("red red blue", "red blue blue", 2 / 3),
    ],
)
def test_f1(said: str, true: str, f1: float) -> None:
    assert token_f1(said, true) == pytest.approx(f1)


def test_normaliser_drops_articles_and_punctuation_anywhere() -> None:
    assert normalize_squad(" A  dog's, the-cat. ") == "dogs thecat"


def test_mentions_are_whole_words() -> None:
    assert mentions("Written for http.client.HTTPMessage here.", "HTTPMessage")
    assert mentions("It had 12,345 people", "12345")
    assert not mentions("Parisian", "Paris") and not mentions("anything", "the")
