"""The explorer and the reader by rule: search for visuals, read the sections that hold them."""

import json
import re
from random import Random

from synthmill.generators.docdancer.exploration import arguments_of, call_name
from synthmill.generators.docdancer.offline.reading import ReadPart, View, read_view
from synthmill.generators.docdancer.prompts import (
    FINISH,
    ExploreDocument,
    NextStep,
    ReadSection,
    SectionReport,
)
from synthmill.generators.docdancer.tables import DataTable
from synthmill.models.offline import answers

# Searches in this order (the paper's list of words for visuals, in part), then the sections found.
SEARCHES = (["table"], ["figure", "chart"], ["note", "excluding", "restated"])
_SECTION = re.compile(r'<Section section_id="([\d.]+)"')
_ELEMENT = re.compile(
    r"<(HTML_Table|Image|Footnote|Paragraph)\b.*?</\1>|<Heading>.*?</Heading>", re.DOTALL
)
_WORD = re.compile(r"\w{4,}")
MOST = 3600  # characters of evidence: what an observation holds


@answers(ExploreDocument)
def next_step(prompt: ExploreDocument, rng: Random) -> NextStep:
    """Search for words of visuals, then read the sections of tables, figures and footnotes."""
    used = {call_name(step.tool, step.arguments) for step in prompt.steps}
    for words in SEARCHES:
        step = NextStep(
            intent=f"See where the document has a {words[0]}, to combine it with others.",
            tool="search",
            keywords=words,
        )
        if call_name(step.tool, arguments_of(step)) not in used:
            return step
    outline = prompt.outline.documents[0].text
    read = {name for step in prompt.steps for name in _read(step.arguments)}
    for name in _sections(outline):
        if name not in read:
            return NextStep(
                intent=f"Section {name} may hold values that belong to what was found.",
                tool="read",
                section_ids=[name],
                goal="tables with headers, captions, footnotes, and facts about their rows",
            )
    return NextStep(intent="Everything that matters was read.", tool=FINISH)


def _sections(outline: str) -> list[str]:
    """The innermost sections, those with tables, figures or footnotes first."""
    parts = re.split(r'(?=<Section section_id=")', outline)
    named = [(found.group(1), part) for part in parts if (found := _SECTION.match(part))]
    rich = [n for n, part in named if re.search(r"<(?:HTML_Table|Image|Footnote)\b", part)]
    return list(dict.fromkeys([*rich, *(n for n, part in named if "<Paragraph" in part)]))


def _read(arguments: str) -> list[str]:
    return [str(name) for name in json.loads(arguments).get("section_ids", [])]


@answers(ReadSection)
def report(prompt: ReadSection, rng: Random) -> SectionReport:
    """The elements that share most words with the goal, verbatim, in their order."""
    text = prompt.content.documents[0].text
    wanted = set(_WORD.findall(prompt.goal.casefold()))
    elements = [found.group() for found in _ELEMENT.finditer(text)]
    ranked = sorted(elements, key=lambda e: (-_worth(e, wanted), elements.index(e)))
    kept: set[str] = set()
    room = MOST
    for element in ranked:
        if len(element) < room:
            kept.add(element)
            room -= len(element) + 1
    shown = "\n".join(element for element in elements if element in kept)
    found = read_view([shown])
    return SectionReport(
        rational=f"{len(kept)} of {len(elements)} parts of the section",
        evidence=shown or "nothing",
        summary=_summary(found),
    )


def _worth(element: str, wanted: set[str]) -> int:
    own = set(_WORD.findall(element.casefold()))
    return len(own & wanted) + 2 * element.startswith(("<HTML_Table", "<Image", "<Footnote"))


def _summary(found: View) -> str:
    tables = "; ".join(_of_table(table) for table in found.tables)
    figures = "; ".join(_of_figure(figure) for figure in found.figures)
    said = ". ".join(filter(None, [tables, figures])) or "It holds running text"
    return f"{said}, and {len(found.footnotes)} footnotes."


def _of_table(table: DataTable) -> str:
    return f"A table on {table.topic or 'no stated topic'} with {len(table.rows)} rows"


def _of_figure(figure: ReadPart) -> str:
    return f"a figure: {figure.text}" if figure.text else "a figure without a caption"
