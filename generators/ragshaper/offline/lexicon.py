"""Relations and the sentences that state them.

`{s}` stands for the subject's name, `{o}` for the object, `{q}` for the year or edition for which
it holds. A name is a run of capitalised words, or a dotted name of code.
"""

import re
from typing import NamedTuple

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
        """A query in the words in which a document would state it."""
        return self.says(subject, "", "").strip(" ,.") if self.sentences else f"class {subject}"

    @property
    def leads_on(self) -> bool:
        """Whether the object is something of which more can be asked."""
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

# Words that take a statement back: who reads with care does not build on it.
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
