"""Vision models as parsers: their output forms, and whole runs against scripted servers."""

import asyncio
import base64
import contextlib
import io
import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from synthmill.generators.mineru_pro.records import PageElement, RowDetail
from synthmill.generators.mineru_pro.settings import MineruProSettings
from synthmill.generators.mineru_pro.vision_forms import (
    mineru_regions,
    qwen_elements,
    recognized,
)
from synthmill.pipelines.run import start
from synthmill.rewards.document_tables import otsl_to_html, table_html
from synthmill.schemas.recipe import Recipe
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.testing import ScriptedServer

SIZE = (600, 800)
TITLE, TEXT = "A small report", "The first paragraph of it, in two lines that are not long."
OTSL = "<fcel>name<fcel>value<nl><fcel>mass<fcel>4.25<nl>"
REGIONS = {  # on the grid of 0 to 1000
    "title": (100, 50, 600, 90),
    "text": (100, 120, 900, 240),
    "table": (100, 300, 900, 500),
    "equation": (300, 560, 700, 600),
}


def mineru(body, seed, broken=False):
    """MinerU2.5: layout tokens, then one answer for each region."""
    asked, size = _question(body)
    if broken:
        return "I cannot see any page."
    if asked == "\nLayout Detection:":
        assert size == (1036, 1036)
        return "".join(
            "<|box_start|>{:03d} {:03d} {:03d} {:03d}<|box_end|>".format(*box)
            + f"<|ref_start|>{category}<|ref_end|><|rotate_up|>"
            for category, box in {"header": (0, 0, 1000, 20), **REGIONS}.items()
        )
    if asked == "\nText Recognition:":
        return TITLE if size[1] < 100 else TEXT
    return {"\nTable Recognition:": OTSL, "\nFormula Recognition:": r"\[E = m c^{2}\]"}[asked]


def paddle(body, seed):
    """PaddleOCR-VL: elements alone; its formula is written in another way."""
    asked, size = _question(body)
    if asked == "OCR:":
        return TITLE if size[1] < 100 else TEXT
    return {"Table Recognition:": OTSL, "Formula Recognition:": "$$E=mc^2$$"}[asked]


def qwen(body, seed):
    """Qwen3-VL: the whole page as HTML; it misreads the table."""
    assert _question(body)[0] == "QwenVL HTML"
    box = {kind: " ".join(map(str, box)) for kind, box in REGIONS.items()}
    table = table_html([]).replace(
        "</table>",
        "<tr><td>name</td><td>value</td></tr><tr><td>m</td><td>1</td></tr></table>",
    )
    return (
        f'```html\n<html><body><h1 data-bbox="{box["title"]}">{TITLE}</h1>\n'
        f'<p data-bbox="{box["text"]}">{TEXT}</p>\n'
        f'<div class="table" data-bbox="{box["table"]}">{table}</div>\n'
        f'<div class="formula" data-bbox="{box["equation"]}">E = m c^3 + 1</div></body></html>\n```'
    )


def _question(body):
    image, text = body["messages"][-1]["content"]
    png = base64.b64decode(image["image_url"]["url"].partition("base64,")[2])
    return text["text"], Image.open(io.BytesIO(png)).size


def run(tmp_path, servers, target="mineru"):
    folder = tmp_path / "pages"
    folder.mkdir(exist_ok=True)
    Image.new("L", (1250, 1667), 255).save(folder / "page.png", dpi=(150, 150))
    presets = {"mineru": "mineru", "paddle": "paddleocr_vl", "qwen": "qwen_vl"}
    with contextlib.ExitStack() as stack:
        opened = {role: stack.enter_context(ScriptedServer(a)) for role, a in servers.items()}
        recipe = Recipe.model_validate(
            {
                "name": "pages",
                "source": {"type": "pages", "path": str(folder)},
                "generator": {
                    "name": "mineru_pro",
                    "feedback_lag": 2,
                    "settings": {
                        "parsers": list(servers),
                        "target": target,
                        "vision": {role: presets[role] for role in servers},
                    },
                },
                "models": {
                    role: {
                        "backend": "openai",
                        "model": "scripted",
                        "settings": {"base_url": server.url},
                    }
                    for role, server in opened.items()
                },
                "output": {"dataset": "pages"},
            }
        )
        home = Home(tmp_path / "home")
        report = asyncio.run(start(recipe, home))
        assert report.stop == "source exhausted" and not report.failed
    return list(Dataset.open(home, "pages").rows(status=None))


def test_three_models_label_a_page(tmp_path):
    """Two agree on the table and on a formula that they write differently."""
    rows = run(tmp_path, {"mineru": mineru, "paddle": paddle, "qwen": qwen})
    found = {RowDetail.model_validate_json(r.detail).consensus.kind: r for r in rows}
    assert {kind: row.answer for kind, row in found.items() if kind != "layout"} == {
        "title": TITLE,
        "text": TEXT,
        "table": OTSL,
        "formula": r"\[E = m c^{2}\]",
    }
    assert all(row.status == "accepted" for row in rows)
    assert "equation" in found["layout"].answer
    table = RowDetail.model_validate_json(found["table"].detail).consensus
    assert [(s.first, s.second, s.value >= 0.95) for s in table.similarities] == [
        ("mineru", "paddle", True),
        ("mineru", "qwen", False),
        ("paddle", "qwen", False),
    ]


def test_a_target_that_answers_nonsense_leaves_medium_labels(tmp_path):
    rows = run(tmp_path, {"mineru": partial(mineru, broken=True), "paddle": paddle, "qwen": qwen})
    details = [RowDetail.model_validate_json(row.detail) for row in rows]
    assert {d.failures["mineru"] for d in details} == {"no layout tokens in the answer"}
    tiers = {d.consensus.kind: d.consensus.tier for d in details}
    assert (tiers["title"], tiers["text"], tiers["table"]) == ("medium", "medium", "hard")


def test_regions_of_layout_tokens_are_in_points():
    answer = mineru({"messages": [_message("\nLayout Detection:", (1036, 1036))]}, 0)
    regions = mineru_regions(answer, *SIZE)
    assert [region.kind for region in regions] == ["title", "text", "table", "formula"]
    assert regions[0].box == (60, 40, 360, 72)


def _message(text, size):
    out = io.BytesIO()
    Image.new("L", size).save(out, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
    return {"content": [{"image_url": {"url": url}}, {"text": text}]}


@pytest.mark.parametrize(
    ("kind", "answer", "content"),
    [
        ("table", OTSL, otsl_to_html(OTSL)),
        ("table", "no table here", ""),
        (
            "table",
            "```html\n<table><tr><td>a</td></tr></table>\n```",
            "<table><tr><td>a</td></tr></table>",
        ),
        ("formula", r"\[ x^2 \]", "x^2"),
        ("formula", "$$x$$", "x"),
        ("formula", "x + y", "x + y"),
        ("text", " some text\n", "some text"),
    ],
)
def test_recognition_answers(kind, answer, content):
    assert recognized(kind, answer) == content


def test_qwen_html_with_nested_boxes_and_figures():
    """The outermost boxed elements count; figures have no content; boxes are clipped."""
    answer = (
        '<div class="image" data-bbox="0 0 500 500"><img data-bbox="0 0 500 500"/>words</div>'
        '<p data-bbox="-5 600 2000 700">a &lt; b<br>c</p><p>no box</p>'
        '<p data-bbox="5 5 5 5">flat</p><p data-bbox="1 2 3">broken</p>'
        '<table data-bbox="0 800 1000 900"><tr><td>x</td></tr></table>'
    )
    assert qwen_elements(answer, 1000, 1000) == [
        PageElement(kind="figure", box=(0, 0, 500, 500)),
        PageElement(kind="text", box=(0, 600, 1000, 700), content="a < b c"),
        PageElement(
            kind="table",
            box=(0, 800, 1000, 900),
            content="<table><tr><td>x</td></tr></table>",
        ),
    ]


@given(st.text(alphabet='<>/pdiv tablehr=" data-bbox0123456789&;', max_size=120))
def test_any_answer_is_read(answer):
    for element in qwen_elements(answer, *SIZE):
        assert 0 <= element.box[0] < element.box[2] <= SIZE[0]
    mineru_regions(answer, *SIZE)


def test_roles_and_parsers_must_agree():
    with pytest.raises(ValueError, match=re.escape("vision roles ['m'] are not among the parsers")):
        MineruProSettings(vision={"m": "mineru"})
