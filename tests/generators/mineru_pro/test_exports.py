"""Training mixes and OmniDocBench's form out of rows as the generator makes them."""

import json

import pytest
from datasets import load_dataset

from synthmill.generators.mineru_pro.consistency import THRESHOLDS, conclude, layout_text
from synthmill.generators.mineru_pro.omnidocbench import read_truth
from synthmill.generators.mineru_pro.records import PageElement, RowDetail, Vote
from synthmill.generators.mineru_pro.rows import candidate
from synthmill.rewards.document_tables import TableCell, table_html
from synthmill.schemas.lineage import Media, SourceRef
from synthmill.store.dataset import Dataset
from synthmill.store.export import export
from synthmill.store.exports.base import load_exporter
from synthmill.store.exports.mineru import MineruExporter, MineruSettings
from synthmill.store.exports.omnidocbench import OmniDocBenchExporter, OmniDocBenchSettings
from synthmill.store.home import Home
from tests.store.building import commit, make_row

SIZE = (600.0, 800.0)
TABLE = table_html([[TableCell("a"), TableCell("b")]])
ELEMENTS = [
    PageElement(kind="title", box=(50, 50, 300, 70), content="A title"),
    PageElement(kind="text", box=(50, 90, 550, 200), content="Some text\nof two lines."),
    PageElement(kind="table", box=(50, 300, 550, 400), content=TABLE),
]


def rows(page=1, **changes):
    """The accepted rows of a page: its layout, then its elements."""
    said = [("layout", "layout", (0.0, 0.0, *SIZE), layout_text(ELEMENTS, SIZE))]
    said += [({"title": "text"}.get(e.kind, e.kind), e.kind, e.box, e.content) for e in ELEMENTS]
    made = []
    for order, (task, kind, box, content) in enumerate(said):
        votes = [Vote(parser=name, family=name, content=content) for name in ("t", "a")]
        detail = RowDetail(
            page="report.pdf",
            number=page,
            width=SIZE[0],
            height=SIZE[1],
            cluster=0,
            order=order,
            scale=2.0,
            crop=box,
            consensus=conclude(task, kind, box, votes, "t", THRESHOLDS),
        )
        name = f"media/{page}-{order}.png"
        image = Media(kind="image", path=name, sha256=f"{page}{order}", mime="image/png")
        given = candidate(detail, image, SourceRef(uri="report.pdf"))
        fields = {name: getattr(given, name) for name in type(given).model_fields}
        made.append(
            make_row(3 * (10 * page + order) + 1).model_copy(
                update={**fields, "task_key": f"page-{page}", **changes}
            )
        )
    return made


def parts(exporter, given):
    found: dict[str, list] = {}
    for part, row in exporter.select(given):
        record = exporter.convert(row)
        if record is not None:
            found.setdefault(part, []).append(record)
    return found


def test_stage_one_has_every_label_that_parsers_agree_on():
    found = parts(MineruExporter(MineruSettings(media_root="/data/")), rows())
    assert set(found) == {"stage1"}
    assert [record["task"] for record in found["stage1"]] == ["layout", "text", "text", "table"]
    text = found["stage1"][2]
    assert text["messages"] == [
        {"role": "user", "content": "<image>Text Recognition:"},
        {"role": "assistant", "content": "Some text of two lines."},
    ]
    assert text["images"] == ["/data/media/1-2.png"]
    assert found["stage1"][3]["messages"][1]["content"] == "<fcel>a<fcel>b<nl>"


def test_hard_rows_bring_a_replay_in_the_papers_ratio():
    """Two hard texts replay 100 texts of 110, and nothing of other sub-tasks."""
    easy = [row for page in range(55) for row in rows(page)]
    hard = [r for r in rows(99, difficulty=1.0) if r.answer and "Recognition" in r.messages[0].text]
    found = parts(MineruExporter(MineruSettings()), [*easy, *hard[:2]])
    assert [record["task"] for record in found["stage2"][:2]] == ["text", "text"]
    assert len(found["stage2"]) == 2 + 100
    assert {record["task"] for record in found["stage2"]} == {"text"}
    (first, second) = found["stage3"]
    assert [m["role"] for m in first["messages"]] == ["user"]
    assert (first["solution"], second["data_source"]) == ("A title", "document.text")
    again = parts(MineruExporter(MineruSettings()), [*hard[:2], *reversed(easy)])
    assert {r["images"][0] for r in again["stage2"]} == {r["images"][0] for r in found["stage2"]}


def test_pages_in_omnidocbenchs_form_are_read_back(tmp_path):
    """One object for a page, elements in reading order whatever the order of the rows."""
    exporter = OmniDocBenchExporter(OmniDocBenchSettings())
    found = parts(exporter, [*reversed(rows(2)), *rows(1)])["annotations"]
    assert [page["page_info"]["page_no"] for page in found] == [1, 0]
    (tmp_path / "truth.json").write_text(json.dumps(found))
    pages = read_truth(tmp_path)
    assert pages["1-0.png", 1].elements(*SIZE) == ELEMENTS
    assert found[0]["page_info"]["width"] == 1200


@pytest.mark.parametrize("name", ["mineru", "omnidocbench"])
def test_files_hold_the_declared_columns(name, tmp_path):
    dataset = Dataset.create(Home(tmp_path / "home").prepare(), "pages")
    commit(dataset, rows(), dataset.version)
    summary = export(dataset, load_exporter(name, {}), tmp_path / "out")
    (part,) = summary.rows
    loaded = load_dataset(str(tmp_path / "out"), part, split="train", cache_dir=str(tmp_path / "c"))
    assert len(loaded) == {"mineru": 4, "omnidocbench": 1}[name]
