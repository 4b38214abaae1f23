"""OmniDocBench's form of labeled pages, and its overall score (v1.6) of a parser.

Overall is ``((1 - TextEdit) * 100 + TableTEDS + FormulaCDM) / 3`` in the benchmark. Two things
differ here and make the numbers no leaderboard entries: formulas are compared by tokens of
normalized LaTeX instead of CDM, and elements are matched within groups that overlap on the page
(see `matching`), so a parser must give boxes.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from synthmill.generators.mineru_pro.matching import align, share_inside, similarity
from synthmill.generators.mineru_pro.records import SUB_TASKS, Kind, PageElement
from synthmill.rewards.document_tables import teds
from synthmill.rewards.documents import edit_distance, normalize_text, sequence_similarity
from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError
from synthmill.sources.pages import PageFile

TRUTH_FILE = "truth.json"
# Regions that the benchmark leaves out of its scores are not named here.
KINDS: dict[str, Kind] = {
    "title": "title",
    "text_block": "text",
    "reference": "text",
    "code_txt": "text",
    "figure_caption": "text",
    "table_caption": "text",
    "table_footnote": "text",
    "table": "table",
    "equation_isolated": "formula",
    "figure": "figure",
}
CATEGORIES: dict[str, str] = {
    "title": "title",
    "text": "text_block",
    "table": "table",
    "formula": "equation_isolated",
    "figure": "figure",
}


class _Open(Record):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Annotation(_Open):
    """A region: `poly` are the x and y of its corners in pixels, clockwise from the top left."""

    category_type: str
    poly: list[float] = Field(min_length=8, max_length=8)
    ignore: bool = False
    order: int | None = None
    anno_id: int | str | None = None
    text: str = ""
    latex: str = ""
    html: str = ""


class PageInfo(_Open):
    """The page's image; `page_no` counts from 0, which tells pages of one file apart."""

    page_no: int = 0
    height: float = Field(gt=0)
    width: float = Field(gt=0)
    image_path: str


class AnnotatedPage(_Open):
    """A page of the benchmark's JSON file."""

    layout_dets: list[Annotation]
    page_info: PageInfo

    def elements(self, width: float, height: float) -> list[PageElement]:
        """The regions that count, in reading order, on a page of that size in points."""
        scale = width / self.page_info.width, height / self.page_info.height
        found = [a for a in self.layout_dets if a.category_type in KINDS and not a.ignore]
        found.sort(key=lambda a: (a.order is None, a.order or 0))
        return [
            PageElement(
                kind=KINDS[a.category_type],
                box=(
                    min(a.poly[::2]) * scale[0],
                    min(a.poly[1::2]) * scale[1],
                    max(a.poly[::2]) * scale[0],
                    max(a.poly[1::2]) * scale[1],
                ),
                content={"table": a.html, "equation_isolated": a.latex}.get(a.category_type)
                or a.text,
            )
            for a in found
        ]


class PageScore(Record):
    """The scores of a page, None where the truth has nothing of the kind.

    `text_edit` is the sum of edit distances over the sum of the longer lengths, `order_edit` the
    normalized edit distance between orders; `tables` and `formulas` have a value for each one of
    the truth.
    """

    page: str
    text_edit: float | None = None
    order_edit: float | None = None
    tables: list[float] = []
    tables_structure: list[float] = []
    formulas: list[float] = []


class BenchmarkScore(Record):
    """Means over pages (text, order) and over elements (tables, formulas), in percent but edits.

    `overall` is the mean of the parts that the truth has, so it is the benchmark's own only
    where pages with text, tables and formulas are in the set.
    """

    pages: int
    text_edit: float | None
    order_edit: float | None
    table_teds: float | None
    table_teds_structure: float | None
    formula: float | None
    overall: float | None


def read_truth(folder: Path) -> dict[tuple[str, int], AnnotatedPage]:
    """The pages of ``truth.json`` in a folder, by file name and number from 1.

    Raises:
        InputError: it is missing or not of that form.
    """
    path = folder / TRUTH_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, list):
            raise InputError(f"{path}: a list of pages in OmniDocBench's form is expected")
        pages = [AnnotatedPage.model_validate(page) for page in data]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}: labeled pages need this file") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    return {(Path(p.page_info.image_path).name, p.page_info.page_no + 1): p for p in pages}


def truth_of(
    page: PageFile, truth: Mapping[tuple[str, int], AnnotatedPage]
) -> list[PageElement] | None:
    """The labeled elements of a page, or None where it is not labeled."""
    found = truth.get((Path(page.path).name, page.number))
    return None if found is None else found.elements(page.width, page.height)


def annotated(
    name: str, number: int, size: tuple[float, float], elements: Sequence[PageElement]
) -> dict[str, Any]:
    """A page in the benchmark's form, in units of points; `number` counts from 1."""
    field: dict[str, Literal["html", "latex"]] = {"table": "html", "formula": "latex"}
    return {
        "layout_dets": [
            {
                "category_type": CATEGORIES[element.kind],
                "poly": [element.box[k] for k in (0, 1, 2, 1, 2, 3, 0, 3)],
                "ignore": False,
                "order": order,
                "anno_id": order,
                field.get(element.kind, "text"): element.content,
            }
            for order, element in enumerate(elements, start=1)
        ],
        "page_info": {
            "page_no": number - 1,
            "height": size[1],
            "width": size[0],
            "image_path": name,
            "page_attribute": {},
        },
        "extra": {"relation": []},
    }


def score_page(
    name: str, truth: Sequence[PageElement], predicted: Sequence[PageElement]
) -> PageScore:
    """The scores of what a parser found on a page."""
    counted = [element for element in truth if element.kind in SUB_TASKS]
    contents = align(counted, predicted).contents
    edits = lengths = 0
    values: dict[str, list[float]] = {"table": [], "structure": [], "formula": []}
    for element, content in zip(counted, contents, strict=True):
        task = SUB_TASKS[element.kind]
        if task == "text":
            said, true = normalize_text(content or ""), normalize_text(element.content)
            edits += edit_distance(said, true)
            lengths += max(len(said), len(true))
            continue
        values[task].append(similarity(task, content or "", element.content))
        if task == "table":
            values["structure"].append(teds(content or "", element.content, structure_only=True))
    order = _order(counted, predicted)
    return PageScore(
        page=name,
        text_edit=edits / lengths if lengths else None,
        order_edit=1 - sequence_similarity(order, sorted(order)) if order else None,
        tables=values["table"],
        tables_structure=values["structure"],
        formulas=values["formula"],
    )


def benchmark_score(pages: Sequence[PageScore]) -> BenchmarkScore:
    """The overall score of pages."""
    text = _mean([page.text_edit for page in pages if page.text_edit is not None])
    tables = _mean([value for page in pages for value in page.tables], 100)
    formula = _mean([value for page in pages for value in page.formulas], 100)
    parts = [None if text is None else (1 - text) * 100, tables, formula]
    return BenchmarkScore(
        pages=len(pages),
        text_edit=text,
        order_edit=_mean([page.order_edit for page in pages if page.order_edit is not None]),
        table_teds=tables,
        table_teds_structure=_mean([v for page in pages for v in page.tables_structure], 100),
        formula=formula,
        overall=_mean([part for part in parts if part is not None]),
    )


def _order(truth: Sequence[PageElement], predicted: Sequence[PageElement]) -> list[int]:
    """The places in the truth of the predicted elements that lie in one, without repetition."""
    order: list[int] = []
    for element in predicted:
        inside = [(share_inside(element.box, t.box), -k) for k, t in enumerate(truth)]
        share, place = max(inside, default=(0.0, 0))
        if share > 0.5 and -place not in order:
            order.append(-place)
    return order


def _mean(values: Sequence[float], times: float = 1.0) -> float | None:
    return times * sum(values) / len(values) if values else None
