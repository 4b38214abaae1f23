"""Relations, the sentences that state them, and reading facts out of passages.

In sentences, `{s}` is the subject's name, `{o}` the object, `{q}` the year or edition for which the
statement holds. A name is a run of capitalized words, or a dotted name of code.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from synthmill.sources.documents.prompt_documents import PromptDocument

NAME = r"[A-Z][\w'’-]*(?: (?:[A-Z][\w'’-]*|\d[\d-]*))*"
# A capital or a dot tells it from a plain word.
CODE = r"(?=\w*[A-Z]|\w+\.\w)[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
EDITION = r"(?:1[5-9]|20)\d\d|Mk [IVX]+|\d+(?:st|nd|rd|th) edition"
YEAR = r"1\d\d\d|20\d\d"
NUMBER = r"\d{1,3}(?:,\d{3})+|\d+"

VALUES = {
    "entity": NAME,
    "code": CODE,
    "year": YEAR,
    "count": NUMBER,
    "km": rf"(?:{NUMBER}) km",
    "g": rf"(?:{NUMBER}) g",
    "module": r"[a-z_]\w*(?:\.[a-z_]\w*)*",
    "path": r"[\w/]+(?:\.\w+)+",
}


class Relation(NamedTuple):
    """A relation: its noun (`the <noun> of X`), its kind of object, and its sentences.

    `asks` opens a question for the object.
    """

    noun: str
    value: str
    sentences: tuple[str, ...]
    asks: str = "What is"

    def says(self, subject: str, value: str, qualifier: str | None = None) -> str:
        """A sentence that states the relation."""
        plain = f"The {self.noun} of {{s}} is {{o}}"
        sentence = next((s for s in self.sentences if "{s}" in s), plain)
        return sentence.format(s=subject, o=value, q=qualifier) + "."

    def inquiry(self, subject: str) -> str:
        """A query in the words of a document that states it."""
        return self.says(subject, "", "").strip(" ,.") if self.sentences else f"class {subject}"

    @property
    def leads_on(self) -> bool:
        """Whether the object can be the subject of further facts."""
        return self.value in ("entity", "code", "module")


MODULE, SOURCE_FILE = "module", "source file"

RELATIONS = (
    Relation("length", "km", ("{s} is {o} long", "{s} runs for {o}")),
    Relation("river", "entity", ("{s} lies on {o}", "{s} stands on the banks of {o}")),
    Relation(
        "founding year", "year", ("{s} was founded in {o}", "The founding of {s} dates to {o}")
    ),
    Relation(
        "population",
        "count",
        ("The {q} census counted {o} inhabitants in {s}", "In {q}, {s} had {o} inhabitants"),
    ),
    Relation(
        "mayor", "entity", ("In {q}, the mayor of {s} was {o}", "{o} was the mayor of {s} in {q}")
    ),
    Relation("birthplace", "entity", ("{s} was born in {o}", "The birthplace of {s} is {o}")),
    Relation("birth year", "year", ("The birth year of {s} is {o}",)),
    Relation("teacher", "entity", ("{s} studied under {o}", "The teacher of {s} was {o}")),
    Relation("founder", "entity", ("{s} was founded by {o}", "The founder of {s} was {o}")),
    Relation("headquarters", "entity", ("{s} has its headquarters in {o}", "{s} is based in {o}")),
    Relation(
        "employees", "count", ("In {q}, {s} employed {o} people", "{s} had {o} employees in {q}")
    ),
    Relation("maker", "entity", ("{s} is made by {o}", "The maker of {s} is {o}")),
    Relation("designer", "entity", ("{s} was designed by {o}", "The designer of {s} was {o}")),
    Relation(
        "weight",
        "g",
        ("The {q} version of {s} weighs {o}", "In its {q} version, {s} weighs {o}"),
    ),
    Relation("location", "entity", ("{s} is located in {o}", "{s} stands in {o}")),
    Relation("architect", "entity", ("The architect of {s} was {o}",)),
    Relation(
        "visitors", "count", ("In {q}, {s} received {o} visitors", "{s} had {o} visitors in {q}")
    ),
    Relation("painter", "entity", ("{s} was painted by {o}", "The painter of {s} was {o}")),
    Relation("holder", "entity", ("{s} hangs in {o}", "{s} is held by {o}")),
    Relation("completion year", "year", ("{s} was completed in {o}",)),
    # Reference manuals of software. A sentence without a subject speaks of the last heading.
    Relation(
        "direct base class",
        "code",
        (
            "{s} is a subclass of {o}",
            "This exception is a subclass of {o}",
            "A subclass of {o}",
            "Subclass of {o}",
            "Derived from {o}",
        ),
    ),
    Relation("alias target", "code", ("{s} is an alias of {o}", "Alias of {o}", "An alias of {o}")),
    Relation("errno symbol", "code", ("Corresponds to errno {o}",)),
    Relation(MODULE, "module", ()),  # said by the heading: "class http.client.HTTPMessage"
    Relation(SOURCE_FILE, "path", ("Source code: {o}",)),  # of the module that the page is of
)
COUNTED = ("count", "km", "g")  # kinds of value that have parts to tell
BY_NOUN = {relation.noun: relation for relation in RELATIONS}

# Words that qualify a statement: a careful reader does not rely on it.
HEDGE = re.compile(
    r"\b(?:reportedly|allegedly|rumou?r(?:ed|s)?|it is said|some (?:say|accounts|claim)|"
    r"unconfirmed|unverified|supposedly|may well|hearsay)\b",
    re.IGNORECASE,
)
OPINION = re.compile(
    r"\b(?:in my (?:opinion|view)|to my mind|i (?:am sure|believe|think|feel|swear|reckon)|"
    r"if you ask me|as i remember)\b",
    re.IGNORECASE,
)
PARTIAL = re.compile(
    r"\b(?:only part|first (?:half|quarter)|second (?:half|quarter)|(?:january|july) to \w+ only|"
    r"excluding|does not include|provisional|partial)\b",
    re.IGNORECASE,
)
STATUS = re.compile(
    r"\b(?:withdrawn|superseded|namesake|draft|not to be confused)\b", re.IGNORECASE
)
CAVEATS = {"hedged": HEDGE, "opinion": OPINION, "partial": PARTIAL, "other status": STATUS}

_PARAGRAPH = re.compile(r"(?:[^\n]|\n(?!\s*\n))+")
_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)|$)", re.DOTALL)
# "exception http.client.CannotSendRequest", "class zipfile.Path(root)": what follows is of it.
_HEADING = re.compile(
    rf"^(?:(?:abstract|async|static|final)\w* )*"
    rf"(?:(?:exception|class|function|attribute|property|data) ({CODE})(?:\(.*\))?"
    rf"|([A-Za-z_][\w.]*)\(.*\)|((?:\w+\.)+\w+))(?: → .*)?\W*$"
)
_PRONOUNS = frozenset(("It", "This"))
# One of several named is not the object; nor is what only begins a longer name.
_ENDS = r"(?!,? (?:and|or) |, [A-Z]| module|[\w’'-]|\.\w)"
_CODE_KINDS = ("code", "module", "path")


_NOUN = "|".join(sorted((re.escape(noun) for noun in BY_NOUN), key=len, reverse=True))
_DIRECT = re.compile(
    rf"\b[Tt]he (?:(?P<q>{EDITION}) )?(?P<noun>{_NOUN}) of "
    rf"(?P<whole>(?:the (?:.+? )?(?:{_NOUN}) of )?(?:{NAME}|{CODE})) (?:is|was) "
)


class Fact(NamedTuple):
    """A statement of a passage; `caveat` names the reason why a reader should not rely on it.

    `passage` is the passage's place among those read; the quote stands from `start` to `end` there.
    """

    subject: str
    relation: str
    object: str
    qualifier: str | None
    caveat: str | None
    quote: str
    passage: int
    start: int
    end: int

    @property
    def leads_on(self) -> bool:
        """Whether the object can be the subject of the next hop."""
        return BY_NOUN[self.relation].leads_on


def read_facts(pages: Sequence[PromptDocument]) -> list[Fact]:
    """The facts of the pages, in reading order."""
    return [
        fact._replace(passage=number) for number, page in enumerate(pages) for fact in _read(page)
    ]


@lru_cache(maxsize=4096)
def _read(page: PromptDocument) -> tuple[Fact, ...]:
    return tuple(_facts(page))


def _facts(page: PromptDocument) -> Iterator[Fact]:
    heading, of_page, module_page = "", _caveat(page.title), _subject_of(page.title)
    for paragraph in _PARAGRAPH.finditer(page.text):
        text = paragraph.group()
        found = _HEADING.match(" ".join(text.split()))
        if found:
            heading = next(filter(None, found.groups()))
            module, _, name = heading.rpartition(".")
            if name[:1].isupper() and module and module == module.lower():
                start = paragraph.start() + len(text) - len(text.lstrip())
                quote = text.strip()
                yield Fact(heading, MODULE, module, None, None, quote, 0, start, start + len(quote))
            continue
        caveat = of_page or _caveat(text)
        for sentence in _SENTENCE.finditer(text):
            place = paragraph.start() + sentence.start()
            for fact in _stated(sentence.group(), heading, module_page):
                yield fact._replace(caveat=caveat, start=place, end=place + len(fact.quote))


def _subject_of(title: str) -> str:
    """The subject of a manual's page: of `json — JSON encoder and decoder`, json."""
    name, dash, _ = title.partition(" — ")
    return name if dash and " " not in name else ""


def _stated(sentence: str, heading: str, module_page: str) -> Iterator[Fact]:
    """The facts of one sentence, without place and caveat."""
    words = sentence.replace("\n", " ").rstrip(".!? ")
    for relation in RELATIONS:
        match = _match(relation, words)
        if match is None:
            continue
        given = match.groupdict()
        implied = module_page if relation.noun == SOURCE_FILE else heading
        subject = given.get("s") or implied
        subject = implied if subject in _PRONOUNS else subject
        if subject and subject != given["o"]:
            yield _fact(subject, relation.noun, given["o"], given.get("q"), sentence)
    for whole, noun, value, qualifier in _direct(words):
        yield _fact(whole, noun, value, qualifier, sentence)


def _fact(subject: str, noun: str, value: str, qualifier: str | None, quote: str) -> Fact:
    return Fact(_plain(subject), noun, _plain(value), qualifier, None, quote, 0, 0, 0)


def _direct(words: str) -> Iterator[tuple[str, str, str, str | None]]:
    """Statements that skip the steps between: "the founder of the maker of X is Y".

    A single step is read so only where its relation has no sentence of its own.
    """
    for match in _DIRECT.finditer(words):
        noun, whole, rest = match["noun"], match["whole"], words[match.end() :]
        relation = BY_NOUN[noun]
        if not whole.startswith("the ") and any("{s}" in s for s in relation.sentences):
            continue
        value = re.match(rf"(?:the )?({VALUES[relation.value]}){_ENDS}", rest)
        if value:
            yield whole, noun, value.group(1), match["q"]


def _caveat(text: str) -> str | None:
    return next((name for name, sign in CAVEATS.items() if sign.search(text)), None)


def _match(relation: Relation, sentence: str) -> re.Match[str] | None:
    return next((m for p in _patterns(relation) if (m := p.search(sentence))), None)


@cache
def _patterns(relation: Relation) -> tuple[re.Pattern[str], ...]:
    """The sentences as patterns. A subject starts its clause, so no name is cut."""
    name = CODE if relation.value in _CODE_KINDS else NAME
    made = []
    for sentence in relation.sentences:
        pattern = re.escape(sentence).replace(r"\ ", " ")
        pattern = pattern.replace(r"\{s\}", rf"(?:[Tt]he |[Tt]his )?(?P<s>{name})", 1)
        pattern = pattern.replace(r"\{o\}", rf"(?:the )?(?P<o>{VALUES[relation.value]})")
        pattern = pattern.replace(r"\{q\}", rf"(?P<q>{EDITION})")
        made.append(re.compile(rf"(?:^|[:;,] ){pattern}{_ENDS}"))
    return tuple(made)


def _plain(name: str) -> str:
    return name.removeprefix("The ").strip()
