"""A world is the same for its seed, and its documents say what is true."""

from pathlib import Path

from click.testing import CliRunner

from synthmill.sources.corpus import CorpusSettings, CorpusSource
from synthmill.sources.documents.world import render_documents, sample_world
from synthmill.sources.documents.world.__main__ import main
from synthmill.sources.documents.world.render_documents import WAYS
from synthmill.sources.world import WorldSettings, WorldSource


def test_same_seed_same_world() -> None:
    one, two = WorldSource(WorldSettings(seed=3)), WorldSource(WorldSettings(seed=3))
    assert list(one.items()) == list(two.items())
    assert list(one.items()) != list(WorldSource(WorldSettings(seed=4)).items())


def test_keys_are_unique_and_every_fact_has_its_way_of_being_said() -> None:
    world = sample_world(5, 2.0)
    keys = [document.key for document in render_documents(world, 5)]
    assert len(set(keys)) == len(keys) > 600
    assert {fact.relation for fact in world.facts} <= set(WAYS)
    assert len(world.truth()) == len(world.facts)


def test_every_fact_is_told_somewhere() -> None:
    world = sample_world(2)
    told = "\n".join(document.text for document in render_documents(world, 2)).casefold()
    for fact in world.facts:
        ways = WAYS[fact.relation]
        said = (w.format(s=fact.subject, o=fact.object, q=fact.qualifier) for w in ways)
        assert any(sentence.casefold() in told for sentence in said)


def test_the_command_writes_a_corpus_and_its_truth(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [str(tmp_path), "--seed", "9", "--size", "0.5"])
    assert result.exit_code == 0 and "documents" in result.output
    written = list(CorpusSource(CorpusSettings(path=tmp_path / "documents")).items())
    told = {d.key: d.text for d in render_documents(sample_world(9, 0.5), 9)}
    assert {d.key: d.text for d in written} == told
    assert len((tmp_path / "truth.jsonl").read_text().splitlines()) == len(
        sample_world(9, 0.5).facts
    )
