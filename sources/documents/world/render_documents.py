"""Renders a world as documents: articles, yearly reports, lists and letters in prose."""

from collections.abc import Iterator
from random import Random

from synthmill.schemas.identity import keyed_seed
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers.markdown import markdown_elements
from synthmill.sources.documents.world.sample_world import World, WorldFact

LICENSE = "CC0-1.0"

# Sentences for a fact ({s}ubject, {o}bject, {q}ualifier); articles sample one for each fact. The
# embedded back end does not understand the last one of some relations, as with real prose.
WAYS: dict[str, tuple[str, ...]] = {
    "length": ("The {s} is {o} long.", "The {s} runs for {o} before it reaches the sea."),
    "river": ("{s} lies on the {o}.", "{s} stands on the banks of the {o}."),
    "founding year": ("{s} was founded in {o}.", "The founding of {s} dates to {o}."),
    "population": (
        "The {q} census counted {o} inhabitants in {s}.",
        "In {q}, {s} had {o} inhabitants.",
    ),
    "mayor": ("In {q}, the mayor of {s} was {o}.", "{o} was the mayor of {s} in {q}."),
    "birthplace": ("{s} was born in {o}.", "The birthplace of {s} is {o}."),
    "birth year": ("The birth year of {s} is {o}.", "{s} came into the world in {o}."),
    "teacher": ("{s} studied under {o}.", "The teacher of {s} was {o}."),
    "founder": ("{s} was founded by {o}.", "The founder of {s} was {o}."),
    "headquarters": ("{s} has its headquarters in {o}.", "{s} is based in {o}."),
    "employees": ("In {q}, {s} employed {o} people.", "{s} had {o} employees in {q}."),
    "maker": ("The {s} is made by {o}.", "The maker of the {s} is {o}."),
    "designer": ("The {s} was designed by {o}.", "The designer of the {s} was {o}."),
    "weight": ("The {q} version of the {s} weighs {o}.", "In its {q} version, the {s} weighs {o}."),
    "location": ("The {s} is located in {o}.", "The {s} stands in {o}."),
    "architect": ("The architect of the {s} was {o}.", "The {s} went up to plans by {o}."),
    "visitors": ("In {q}, the {s} received {o} visitors.", "The {s} had {o} visitors in {q}."),
    "painter": ("{s} was painted by {o}.", "The painter of {s} was {o}."),
    "holder": ("{s} hangs in the {o}.", "{s} is held by the {o}."),
    "completion year": ("{s} was completed in {o}.", "Work on {s} came to an end in {o}."),
}
DATED = ("population", "employees", "visitors", "weight")
REPORTS = {
    "population": "Census of {q}: {s}",
    "employees": "{s}: annual report {q}",
    "visitors": "{s}: year {q} in figures",
    "weight": "{s} {q}: data sheet",
}
CLAIMS = {
    "river": "a river of the region",
    "town": "a town with a weekly market",
    "person": "remembered in the annals of the region",
    "company": "a company known beyond its town",
    "device": "an instrument still found in workshops",
    "museum": "a house open six days a week",
    "artwork": "a painting that is often copied",
}
FILLERS = (
    "The archives on the matter were put in order only recently.",
    "Local guides mention this on every tour.",
    "A fuller account is kept in the regional library.",
    "Several photographs of the time survive.",
    "The entry was revised for this edition.",
    "Older reference works are silent on the point.",
)
OPINIONS = (
    "To my mind nothing in the region comes close to {s}.",
    "I have returned to {s} again and again, and I am never bored.",
    "Others may find {s} overrated; I could not disagree more.",
    "Friends tell me that I go on about {s} too much.",
)


def render_documents(world: World, seed: int) -> Iterator[Document]:
    """The documents of a world, articles first."""
    facts = world.about()
    for kind, entities in world.entities.items():
        for entity in entities:
            yield _article(kind, entity, facts[entity], Random(keyed_seed(seed, entity)))
    for known in facts.values():
        for fact in known:
            if fact.relation in DATED:
                yield _report(fact, Random(keyed_seed(seed, *fact)))
    for town, based in _based(world).items():
        yield _document(f"Companies of {town}", "\n".join(_said(fact, 0) for fact in based))
    for artwork in world.entities["artwork"]:
        yield _letter(artwork, Random(keyed_seed(seed, "letter", artwork)))


def _based(world: World) -> dict[str, list[WorldFact]]:
    """The facts about headquarters by town."""
    found: dict[str, list[WorldFact]] = {}
    for fact in world.facts:
        if fact.relation == "headquarters":
            found.setdefault(fact.object, []).append(fact)
    return found


def _article(kind: str, entity: str, facts: list[WorldFact], rng: Random) -> Document:
    told = [fact for fact in facts if fact.relation not in DATED]
    told += [fact for fact in facts if fact.relation in DATED and rng.random() < 0.3]
    rng.shuffle(told)
    lines = [f"{entity} is {CLAIMS[kind]}."]
    for fact in told:
        lines.append(_said(fact, rng.randrange(2)))
        if rng.random() < 0.4:
            lines.append(rng.choice(FILLERS))
    half = (len(lines) + 1) // 2
    return _document(entity, " ".join(lines[:half]) + "\n\n" + " ".join(lines[half:]))


def _report(fact: WorldFact, rng: Random) -> Document:
    title = REPORTS[fact.relation].format(s=fact.subject, q=fact.qualifier)
    opening = f"This sheet holds the official figures for {fact.qualifier}."
    return _document(title, f"{opening} {_said(fact, rng.randrange(2))} {rng.choice(FILLERS)}")


def _letter(entity: str, rng: Random) -> Document:
    lines = [line.format(s=entity) for line in rng.sample(OPINIONS, 3)]
    return _document(f"A letter about {entity}", " ".join(lines))


def _said(fact: WorldFact, way: int) -> str:
    text = WAYS[fact.relation][way].format(s=fact.subject, o=fact.object, q=fact.qualifier)
    return text[0].upper() + text[1:]


def _document(title: str, text: str) -> Document:
    key = title.lower().replace(":", "").replace(" ", "-")
    return Document(
        key=f"{key}.md",
        uri=f"world/{key}.md",
        title=title,
        text=f"# {title}\n\n{text}\n",
        license=LICENSE,
        structure=markdown_elements,
    )
