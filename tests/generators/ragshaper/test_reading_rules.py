"""The embedded rules read what is said, with its year and its caveats, and nothing else."""

import pytest

from synthmill.generators.ragshaper.offline.chains import Chain, Hop, chain_of, follow
from synthmill.generators.ragshaper.offline.relations import read_facts
from synthmill.sources.documents.prompt_documents import PromptDocument
from synthmill.sources.documents.world import render_documents, sample_world


def read(text: str, title: str = "Page") -> list[tuple[str, str, str, str | None, str | None]]:
    facts = read_facts([PromptDocument(title, text)])
    for fact in facts:
        assert text[fact.start : fact.end] == fact.quote
    return [(f.subject, f.relation, f.object, f.qualifier, f.caveat) for f in facts]


def test_nothing_untrue_is_read_from_a_world() -> None:
    world = sample_world(13, 2.0)
    truth = world.truth()
    facts = read_facts([PromptDocument(d.title, d.text) for d in render_documents(world, 13)])
    assert all(truth[f.subject, f.relation, f.qualifier] == f.object for f in facts)
    read_ = {(f.subject, f.relation, f.qualifier) for f in facts}
    assert 0.85 < len(read_) / len(truth) < 1, "most is read, and not all"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("In 2018, the mayor of Osk was Ada Holt.", ("Osk", "mayor", "Ada Holt", "2018", None)),
        ("In my view, Osk was founded in 1200.", ("Osk", "founding year", "1200", None, "opinion")),
        (
            "Reportedly, the founder of the maker of Zet-4 is Ada Holt.",
            ("the maker of Zet-4", "founder", "Ada Holt", None, "hedged"),
        ),
        (
            "exception http.client.NotConnected\n\nA subclass of HTTPException.",
            ("http.client.NotConnected", "direct base class", "HTTPException", None, None),
        ),
    ],
)
def test_a_sentence_is_read(text: str, wanted: tuple[str, ...]) -> None:
    assert read(text)[-1] == wanted


@pytest.mark.parametrize(
    "text",
    [
        "A subclass of ConnectionResetError and BadStatusLine.",
        "exception X.Y\n\nA subclass of the email.message module's Message.",
        "exception X.Y\n\nCorresponds to errno EAGAIN, EALREADY and EWOULDBLOCK.",
        "Nobody knows who the mayor of Osk was.",
        "Osk was founded by accident.",
        "defaultdict is a subclass of the built-in dict class.",
    ],
)
def test_what_is_not_said_plainly_is_not_read(text: str) -> None:
    assert [fact for fact in read(text) if fact[1] != "module"] == []


def test_questions_and_chains_are_the_same_thing() -> None:
    hops = (Hop("maker"), Hop("headquarters"), Hop("mayor", "2018"), Hop("birthplace"))
    chain = Chain("Velutron-40", hops)
    assert chain_of(chain.question) == chain
    assert chain_of("Who goes there?") is None


def test_care_tells_readers_apart() -> None:
    text = "In 2019, Osk had 9 inhabitants. In 2018, Osk had 7 inhabitants."
    facts, chain = (
        read_facts([PromptDocument("t", text)]),
        Chain("Osk", (Hop("population", "2018"),)),
    )
    assert [f.object for f in follow(chain, facts, careful=True)] == ["7"]
    assert [f.object for f in follow(chain, facts, careful=False)] == ["9"]
