"""Passages cover a document, stand at their offsets, and keep their ids."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from synthmill.sources.documents.chunking import Chunking, cut
from synthmill.sources.documents.document import Document

TEXT = st.text(alphabet="ab .!?\n\t\u00e9\u4e2d", max_size=3000)
SETTINGS = st.tuples(st.integers(100, 400), st.integers(0, 99), st.integers(0, 49)).map(
    lambda t: Chunking(max_chars=t[0], min_chars=t[1], overlap_chars=min(t[2], t[1] // 2))
)


def document(text: str) -> Document:
    return Document(key="k", uri="u", title="t", text=text)


@given(TEXT, SETTINGS)
def test_passages_stand_at_their_offsets_and_lose_nothing(text: str, settings: Chunking) -> None:
    covered = set()
    for passage in cut(document(text), settings):
        assert text[passage.start : passage.end] == passage.text == passage.text.strip()
        assert 0 < len(passage.text) <= settings.max_chars
        covered |= set(range(passage.start, passage.end))
    assert all(text[i].isspace() for i in set(range(len(text))) - covered)


@given(TEXT, SETTINGS)
def test_without_overlap_nothing_stands_twice(text: str, settings: Chunking) -> None:
    plain = settings.model_copy(update={"overlap_chars": 0})
    passages = list(cut(document(text), plain))
    assert all(a.end <= b.start for a, b in pairwise(passages))


def test_cuts_fall_between_paragraphs_where_they_can() -> None:
    text = ("word " * 50).strip() + "\n\n" + ("other " * 50).strip()
    first, second = cut(document(text), Chunking(max_chars=400, min_chars=100))
    assert first.text.endswith("word") and second.text.startswith("other")


def test_ids_follow_from_place_and_content() -> None:
    one, two = document("a" * 2000), document("a" * 1999 + "b")
    ids = [p.id for p in cut(one, Chunking())]
    assert ids == [p.id for p in cut(one, Chunking())]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {p.id for p in cut(two, Chunking())}
