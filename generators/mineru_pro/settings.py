"""Settings of the generator `mineru_pro`. What the paper (arXiv 2604.04771) leaves open says so."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from synthmill.generators.mineru_pro.consistency import THRESHOLDS
from synthmill.generators.mineru_pro.records import SubTask
from synthmill.schemas.base import Settings

TEXT_LAYER = "text_layer"
Preset = Literal["mineru", "paddleocr_vl", "qwen_vl"]


class Reading(Settings):
    """How pages are rendered and read. All values are ours."""

    dpi: float = Field(
        default=150, ge=36, le=600, description="resolution at which PDF pages are rendered"
    )
    max_pixels: int = Field(
        default=12_000_000, ge=10_000, description="a page with more is rendered smaller"
    )
    seconds: float = Field(default=120, gt=0, description="time limit of one parser on one page")
    memory_mb: int = Field(default=4096, gt=0, description="memory limit of one parser on one page")
    margin: float = Field(default=4, ge=0, description="points of paper around a crop")


class PageSampling(Settings):
    """Diversity- and difficulty-aware sampling of pages (DDAS, section 3.1).

    The paper discloses neither the number of clusters, nor the size of probes, nor a formula of
    weights. The formula is that of another implementation, ``N^0.4`` times a sum of gains over the
    tiers times ``1 + 0.35 * entropy``.
    """

    clusters: int | None = Field(
        default=None, ge=1, description="clusters of pages; by default sqrt(pages / 2), at most 64"
    )
    probe: int = Field(default=8, ge=1, description="pages of each cluster that are read first")
    max_invalid: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="a cluster is dropped when more of its probed pages hold nothing that two "
        "parsers agree on",
    )
    size_power: float = Field(default=0.4, ge=0, le=1, description="exponent of a cluster's size")
    easy: float = Field(default=0.1, ge=0, description="gain of a cluster's easy share")
    medium: float = Field(default=1.0, ge=0, description="gain of its medium share")
    hard: float = Field(default=0.6, ge=0, description="gain of its hard share")
    entropy: float = Field(default=0.35, ge=0, description="bonus of clusters of mixed difficulty")


class MineruProSettings(Settings):
    """Which parsers read a page, and when they agree."""

    parsers: list[str] = Field(
        default=["rapidocr", "tesseract", TEXT_LAYER],
        description=f"{TEXT_LAYER} (of a PDF), OCR engines (rapidocr, tesseract, ocrad), and the "
        "model roles of `vision`; of a family the first one has a vote",
    )
    vision: dict[str, Preset] = Field(
        default={},
        description="model roles that read pages, with the preset of their prompts and output: "
        "mineru (MinerU2.5), paddleocr_vl, qwen_vl (Qwen3-VL)",
    )
    target: str = Field(
        default="rapidocr",
        description="the parser that tiers are anchored on: the one that is to be improved",
    )
    thresholds: dict[SubTask, float] = Field(
        default=dict(THRESHOLDS),
        description="similarity from which two parsers agree; the paper states none",
    )
    labeled: Path | None = Field(
        default=None,
        description="a folder of pages with truth.json in OmniDocBench's form: thresholds are "
        "fitted to it before the first page",
    )
    precision: float = Field(
        default=0.98, gt=0, le=1, description="precision of labels that the fit must reach"
    )
    reading: Reading = Reading()
    sampling: PageSampling = PageSampling()

    @model_validator(mode="after")
    def _consistent(self) -> "MineruProSettings":
        if self.target not in self.parsers:
            raise ValueError(f"the target {self.target!r} is not among the parsers {self.parsers}")
        if len(set(self.parsers)) < len(self.parsers):
            raise ValueError(f"a parser is named twice: {self.parsers}")
        if unused := set(self.vision) - set(self.parsers):
            raise ValueError(f"the vision roles {sorted(unused)} are not among the parsers")
        if self.vision and self.labeled:
            raise ValueError("thresholds are fitted without vision models only: labeled, or vision")
        wrong = [value for value in self.thresholds.values() if not 0 < value <= 1]
        if wrong:
            raise ValueError(f"thresholds are above 0 and at most 1, not {wrong[0]}")
        return self

    @property
    def all_thresholds(self) -> dict[SubTask, float]:
        """A threshold for every sub-task: that of the settings, else the default."""
        return {**THRESHOLDS, **self.thresholds}
