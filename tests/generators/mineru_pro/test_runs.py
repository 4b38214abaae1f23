"""Whole runs on made pages: real engines, tiers and labels against the truth, hostile pages."""

import asyncio
import io
import shutil
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from synthmill.generators.mineru_pro.generator import MineruPro
from synthmill.generators.mineru_pro.records import RowDetail
from synthmill.generators.mineru_pro.settings import MineruProSettings
from synthmill.pipelines.run import start
from synthmill.rewards import reward
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Recipe
from synthmill.sources.documents.ocr.base import OcrEngine
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.generators.mineru_pro import made_pages

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="tesseract is missing: apt install tesseract-ocr"
)
PARSERS = ["tesseract", "text_layer"]


class Hanging(OcrEngine):
    """An engine that never comes back from a page with dark ink at its top left corner."""

    name = "hanging"
    family = "hanging"

    @classmethod
    def missing(cls):
        return None

    def read(self, image):
        while image.getpixel((0, 0))[0] < 100:
            pass
        return []


def recipe(folder, engine=None, source=None, **settings) -> Recipe:
    settings = {"parsers": PARSERS, "target": "tesseract", **settings}
    return Recipe.model_validate(
        {
            "name": "pages",
            "source": {"type": "pages", "path": str(folder), **(source or {})},
            "generator": {"name": "mineru_pro", "feedback_lag": 4, "settings": settings},
            "models": {},
            "output": {"dataset": "pages"},
            "engine": engine or {},
        }
    )


def run(home_folder, wanted):
    home = Home(home_folder)
    report = asyncio.run(start(wanted, home))
    assert report.stop == "source exhausted" and not report.failed
    return home


def rows(home, status=None):
    found = Dataset.open(home, "pages").rows(status=status)
    bare = (row.model_copy(update={"run_id": "", "created_at": None}) for row in found)
    return sorted(bare, key=lambda row: (row.task_key, row.id))


def detail(row) -> RowDetail:
    return RowDetail.model_validate_json(row.detail)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A PDF of four pages, whose text layer differs on the third; a scan; and a blank page."""
    folder = tmp_path_factory.mktemp("pages")
    made = [made_pages.made_page(seed, columns=1 + seed % 2) for seed in range(4)]
    (folder / "report.pdf").write_bytes(made_pages.pdf_of(made))
    (folder / "scan.png").write_bytes(made_pages.scan_of(made_pages.made_page(9)))
    image = Image.new("L", (600, 800), 255)
    image.save(folder / "blank.png")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4")
    return folder


@pytest.fixture(scope="module")
def home(folder, tmp_path_factory):
    return run(tmp_path_factory.mktemp("home"), recipe(folder))


@needs_tesseract
def test_labels_of_a_folder_against_the_truth(home):
    """Every element of the PDF is easy and right; the scan has one parser only, so no labels."""
    accepted = rows(home, "accepted")
    tasks = Counter(detail(row).consensus.task for row in accepted)
    assert tasks["layout"] == tasks["table"] == 4
    truths = {}
    for number, seed in enumerate(range(4), start=1):
        page = made_pages.made_page(seed, columns=1 + seed % 2)
        truths[number] = made_pages.elements(page)
    assert tasks["text"] == sum(e.kind in ("text", "title") for t in truths.values() for e in t)
    for row in accepted:
        found = detail(row)
        assert found.consensus.tier == "easy" and row.difficulty == 0.0
        assert Path(row.media[0].path).suffix == ".png"
        if found.consensus.task == "layout":
            continue
        best = max(
            reward(row.reward)(row.answer, element.content) for element in truths[found.number]
        )
        assert best >= 0.99
        assert row.messages[-1].text == row.answer


@needs_tesseract
def test_what_has_no_label_is_rejected_with_the_reason(home):
    """The review queue: a scan that one parser alone can read, a blank page, a broken file."""
    reasons = Counter(
        verdict.reason
        for row in rows(home, "rejected")
        for verdict in row.verdicts
        if verdict.status == "fail"
    )
    assert reasons["found by one parser alone"] >= 4
    assert reasons["nothing found on the page"] == 1
    assert reasons["unreadable page file"] == 1
    scan = next(row for row in rows(home, "rejected") if row.detail != "{}")
    assert detail(scan).failures == {"text_layer": "no text layer"}
    assert scan.answer is None and [m.role for m in scan.messages] == ["user"]


@needs_tesseract
def test_same_rows_at_any_concurrency(folder, home, tmp_path):
    again = run(tmp_path, recipe(folder, engine={"concurrency": 1, "workers": 1}))
    assert rows(again) == rows(home)


@needs_tesseract
def test_pictures_and_descriptions(home):
    """A page is drawn with its regions, an element above its text."""
    generator = MineruPro(MineruProSettings(parsers=PARSERS, target="tesseract"))
    media = Dataset.open(home, "pages").folder
    for row in rows(home, "accepted")[:12]:
        image = Image.open(io.BytesIO(generator.picture(row, media)))
        assert image.width <= 1000
        assert detail(row).consensus.tier in generator.describe(row)
    nothing = next(row for row in rows(home, "rejected") if row.detail == "{}")
    assert generator.picture(nothing, media) is None
    assert generator.describe(nothing) is None


@needs_tesseract
def test_a_parser_that_hangs_costs_its_page_alone(tmp_path):
    """The page's rows name the parser that was killed; the other page is not concerned."""
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "a.pdf").write_bytes(made_pages.pdf_of([made_pages.made_page(0)]))
    scan = made_pages.stamped(made_pages.scan_of(made_pages.made_page(1)), (0, 0, 20, 20))
    (folder / "b.png").write_bytes(scan)
    hanging = f"{__name__}:Hanging"
    settings = {"parsers": [*PARSERS, hanging], "reading": {"seconds": 15}}
    home = run(tmp_path / "home", recipe(folder, **settings))
    assert {str(detail(row).failures) for row in rows(home, "accepted")} == {"{}"}
    killed = [detail(row) for row in rows(home, "rejected")]
    assert len(killed) >= 4
    for row in killed:
        assert row.failures == {hanging: "time limit of 15 s", "text_layer": "no text layer"}


@needs_tesseract
def test_thresholds_are_fitted_to_labeled_pages_and_kept_in_the_state(folder, tmp_path):
    labeled = tmp_path / "labeled"
    files = made_pages.write_folder(labeled, pages=2)
    made_pages.write_truth(labeled, files)
    home = run(tmp_path / "home", recipe(folder, labeled=str(labeled)))
    found = detail(rows(home, "accepted")[0]).consensus
    assert 0.5 <= found.threshold <= 1.0
    states = list((Dataset.open(home, "pages").folder / "state").rglob("*"))
    assert any("calibration" in path.read_text() for path in states if path.is_file())


def test_mistakes_are_told_before_anything_runs(tmp_path):
    with pytest.raises(InputError, match="parsers of two families"):
        MineruPro(MineruProSettings(parsers=["text_layer"], target="text_layer"))
    with pytest.raises(InputError, match="there is no ocr engine 'tesserakt'"):
        MineruPro(MineruProSettings(parsers=["tesserakt", "text_layer"], target="text_layer"))
    with pytest.raises(ValueError, match="not among the parsers"):
        MineruProSettings(parsers=["tesseract", "text_layer"], target="ocrad")


def test_a_missing_engine_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"tesseract \(apt install tesseract-ocr\)"):
        MineruPro(MineruProSettings(parsers=PARSERS, target="tesseract"))


@needs_tesseract
def test_hostile_pages_stay_within_limits(tmp_path):
    """A decompression bomb, a page of 5,000 runs, one of a kilometer, and a truncated image."""
    folder = tmp_path / "pages"
    folder.mkdir()
    Image.new("1", (40_000, 20_000)).save(folder / "bomb.png")
    dots = made_pages.MadePage(
        lines=[(6 * (k % 100), 15 * (k // 100), 5, f"w{k}") for k in range(5000)]
    )
    (folder / "dots.pdf").write_bytes(made_pages.pdf_of([dots]))
    huge = made_pages.pdf_of([made_pages.made_page(1)]).replace(b"0 0 600 800", b"0 0 600 9e6")
    (folder / "huge.pdf").write_bytes(huge)
    scan = made_pages.scan_of(made_pages.made_page(2))
    (folder / "cut.png").write_bytes(scan[: len(scan) // 2])
    home = run(tmp_path / "home", recipe(folder, reading={"seconds": 60}))
    reasons = Counter(v.reason for row in rows(home, "rejected") for v in row.verdicts)
    assert reasons["unreadable page file"] == 2
    assert sum(row.detail != "{}" for row in rows(home)) <= 700
