"""Samples a world: entities, and facts about them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from synthmill.schemas.identity import keyed_seed
from synthmill.sources.documents.world.names import Names

YEARS = range(2016, 2022)  # of censuses and annual reports
MARKS = ("Mk I", "Mk II", "Mk III")  # editions of a device


class WorldFact(NamedTuple):
    """`relation` of `subject` is `object`, in the year or edition `qualifier` where it changes."""

    subject: str
    relation: str
    object: str
    qualifier: str | None = None


@dataclass
class World:
    """Entities by kind, and all facts in the order of sampling."""

    entities: dict[str, list[str]] = field(default_factory=dict)
    facts: list[WorldFact] = field(default_factory=list)

    def about(self) -> dict[str, list[WorldFact]]:
        """The facts of each subject."""
        found: dict[str, list[WorldFact]] = {}
        for fact in self.facts:
            found.setdefault(fact.subject, []).append(fact)
        return found

    def truth(self) -> dict[tuple[str, str, str | None], str]:
        """The object by subject, relation and qualifier."""
        return {(f.subject, f.relation, f.qualifier): f.object for f in self.facts}


# Entities of each kind in a world of size 1: some 100 entities, 400 facts, 300 documents.
COUNTS = {
    "river": 4,
    "town": 12,
    "person": 30,
    "company": 12,
    "device": 14,
    "museum": 8,
    "artwork": 18,
}


def sample_world(seed: int, size: float = 1.0) -> World:
    """The world of a seed; `size` scales how many entities there are."""
    rng = Random(keyed_seed("world", seed))
    names, world = Names(rng), World()
    for kind, count in COUNTS.items():
        make = getattr(names, kind)
        world.entities[kind] = [make() for _ in range(max(2, round(count * size)))]
    for kind, facts in _KINDS.items():
        for entity in world.entities[kind]:
            world.facts += (WorldFact(entity, *rest) for rest in facts(world.entities, entity, rng))
    return world


Entities = dict[str, list[str]]
Rest = Iterator[tuple[str, str, str | None]]


def _river(entities: Entities, entity: str, rng: Random) -> Rest:
    yield "length", f"{rng.randrange(40, 900)} km", None


def _town(entities: Entities, entity: str, rng: Random) -> Rest:
    yield "river", rng.choice(entities["river"]), None
    yield "founding year", str(rng.randrange(1050, 1700)), None
    yield from _counted("population", rng.randrange(4_000, 90_000), rng)
    for year in YEARS[::2]:
        yield "mayor", rng.choice(entities["person"]), str(year)


def _person(entities: Entities, entity: str, rng: Random) -> Rest:
    yield "birthplace", rng.choice(entities["town"]), None
    yield "birth year", str(rng.randrange(1790, 1930)), None
    if rng.random() < 0.6:
        teacher = rng.choice(entities["person"])
        if teacher != entity:
            yield "teacher", teacher, None


def _company(entities: Entities, entity: str, rng: Random) -> Rest:
    yield "founder", rng.choice(entities["person"]), None
    yield "founding year", str(rng.randrange(1820, 1960)), None
    yield "headquarters", rng.choice(entities["town"]), None
    yield from _counted("employees", rng.randrange(80, 4_000), rng)


def _device(entities: Entities, entity: str, rng: Random) -> Rest:
    yield "maker", rng.choice(entities["company"]), None
    yield "designer", rng.choice(entities["person"]), None
    grams = rng.randrange(300, 9_000, 10)
    for mark in MARKS:
        yield "weight", f"{grams} g", mark
        grams += rng.randrange(20, 200, 10)


def _museum(entities: Entities, entity: str, rng: Random) -> Rest:
    yield "location", rng.choice(entities["town"]), None
    yield "architect", rng.choice(entities["person"]), None
    yield from _counted("visitors", rng.randrange(3_000, 60_000), rng)


def _artwork(entities: Entities, entity: str, rng: Random) -> Rest:
    yield "painter", rng.choice(entities["person"]), None
    yield "holder", rng.choice(entities["museum"]), None
    yield "completion year", str(rng.randrange(1810, 1990)), None


def _counted(relation: str, start: int, rng: Random) -> Rest:
    count = start
    for year in YEARS:
        yield relation, f"{count:,}", str(year)
        count += rng.choice((-1, 1, 1)) * rng.randrange(1, max(3, start // 20))


_KINDS = {
    "river": _river,
    "town": _town,
    "person": _person,
    "company": _company,
    "device": _device,
    "museum": _museum,
    "artwork": _artwork,
}
