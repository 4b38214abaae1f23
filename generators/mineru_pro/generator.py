"""The generator: pages are sampled by cluster and difficulty, and labeled where parsers agree."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import numpy as np

from synthmill.generators.base import (
    Context,
    FeedbackGenerator,
    Resources,
    Task,
    TaskOutcome,
)
from synthmill.generators.mineru_pro.calibration import AgreementCalibration, fit, judged
from synthmill.generators.mineru_pro.consistency import page_consensus
from synthmill.generators.mineru_pro.drawing import describe, picture
from synthmill.generators.mineru_pro.omnidocbench import AnnotatedPage, read_truth, truth_of
from synthmill.generators.mineru_pro.page_parsers import ReadPage, Run, families, read_page
from synthmill.generators.mineru_pro.records import RowDetail, SubTask
from synthmill.generators.mineru_pro.rows import CHECK, candidate, crops
from synthmill.generators.mineru_pro.sampling import (
    ClusterState,
    cluster_count,
    cluster_pages,
    descriptor,
    next_cluster,
    page_order,
)
from synthmill.generators.mineru_pro.settings import MineruProSettings
from synthmill.generators.mineru_pro.vision_parsers import parse_by_models
from synthmill.models.forms import Form
from synthmill.runtime.workers import WorkerError
from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import sha256_text
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.messages import user
from synthmill.schemas.row import Candidate, Row
from synthmill.schemas.verdict import Verdict
from synthmill.sources.base import Source
from synthmill.sources.pages import PageFile, PagesSettings, PagesSource

SEED = 0  # of the clustering: clusters belong to the pages, not to a run


class PageTask(Record):
    """The item of a task: a page, its cluster, and the thresholds that hold for it."""

    page: PageFile
    cluster: int
    thresholds: dict[SubTask, float]


class SamplingState(Record):
    """What the probes found. `slots` are the pages of the next tasks, by index modulo the lag.

    `source` is a hash of the pages that the numbers mean; it is empty before the first task.
    """

    source: str = ""
    slots: list[int | None] = []
    clusters: list[ClusterState] = []
    calibration: AgreementCalibration | None = None


class MineruPro(FeedbackGenerator[MineruProSettings, SamplingState]):
    """Labels of the layout and the elements of pages, by cross-model consistency."""

    name: ClassVar[str] = "mineru_pro"
    version: ClassVar[int] = 1
    item: ClassVar[type] = PageFile

    def __init__(self, settings: MineruProSettings, lag: int = 64) -> None:
        super().__init__(settings, lag)
        for module in ("pypdfium2", "PIL"):
            if find_spec(module) is None:
                raise InputError("mineru_pro needs pip install 'synthmill[parsing]'")
        self._families = families(settings.parsers, settings.vision)
        self._pages: list[PageFile] = []
        self._unusable: list[InvalidItem] = []
        self._labels: list[int] = []
        self._order: list[list[int]] = []
        self._calibration: AgreementCalibration | None = None

    @property
    def roles(self) -> Mapping[str, Sequence[Form]]:
        """The vision models among the parsers."""
        return dict.fromkeys(self.settings.vision, ("text",))

    async def prepare(self, source: Source, resources: Resources) -> None:
        """List the pages, cluster them by what they look like, and fit the thresholds."""
        truth = None
        if self.settings.labeled is not None:
            truth = read_truth(self.settings.labeled)  # before hours of work

        def listed(report: object) -> list[PageFile | InvalidItem]:
            return list(source.items())

        items = await resources.in_thread("pages listed", listed)
        self._pages = [item for item in items if isinstance(item, PageFile)]
        self._unusable = [item for item in items if isinstance(item, InvalidItem)]
        features = []
        run = Run(resources.workers.run, self.settings.reading)
        for done, page in enumerate(self._pages):
            resources.progress("pages described", done, len(self._pages))
            try:
                features.append(await run(descriptor, page))
            except (WorkerError, OSError):
                features.append([])  # its task will say why
        self._labels = self._clustered(features)
        self._order = page_order(self._pages, self._labels)
        if truth is not None:
            self._calibration = await self._calibrated(truth, run, resources)

    def _clustered(self, features: list[list[float]]) -> list[int]:
        """The cluster of each page; pages that cannot be rendered are the last one."""
        good = [row for row in features if row]
        found = iter([0] * len(good))
        if good:
            count = cluster_count(len(good), self.settings.sampling)
            found = iter(cluster_pages(np.array(good), count, SEED).tolist())
        labels = [next(found) if row else -1 for row in features]
        last = max(labels, default=-1) + 1
        return [last if label < 0 else label for label in labels]

    async def _calibrated(
        self,
        truth: Mapping[tuple[str, int], AnnotatedPage],
        run: Run,
        resources: Resources,
    ) -> AgreementCalibration:
        settings = self.settings
        assert settings.labeled is not None
        regions, pages = [], 0
        for item in PagesSource(PagesSettings(path=settings.labeled)).items():
            elements = truth_of(item, truth) if isinstance(item, PageFile) else None
            if not isinstance(item, PageFile) or elements is None:
                continue
            resources.progress("labeled pages read", pages, len(truth))
            pages += 1
            size = item.width, item.height
            read = await read_page(item, self._families, run)
            thresholds = settings.all_thresholds
            found = await run(page_consensus, read.parsed, settings.target, thresholds, size)
            regions += [judged(consensus, elements, size) for consensus in found]
        if not regions:
            raise InputError(f"{settings.labeled}: no page of it is both readable and labeled")
        return fit(regions, settings.target, settings.precision, pages)

    async def next_task(self, index: int, state: SamplingState, context: Context) -> Task | None:
        """The page that was planned for this index when outcome `index - lag` was known."""
        state = self._begun(state)
        place = state.slots[index % self.lag]
        if place is None:
            return None
        if place >= len(self._pages):
            item = self._unusable[place - len(self._pages)]
            return Task(key=item.key, item=item)
        thresholds = self.settings.all_thresholds
        if state.calibration is not None:
            thresholds = state.calibration.thresholds(thresholds)
        page = self._pages[place]
        task = PageTask(page=page, cluster=self._labels[place], thresholds=thresholds)
        return Task(key=page.key, item=task)

    def update_state(self, state: SamplingState, outcome: TaskOutcome) -> SamplingState:
        """Count the tiers found in the page's cluster, and plan one page more."""
        state = self._begun(state)
        clusters = list(state.clusters)
        if isinstance(outcome.task.item, PageTask):
            number = outcome.task.item.cluster
            clusters[number] = _counted(clusters[number], outcome)
        slot, clusters = self._planned(clusters)
        slots = list(state.slots)
        slots[outcome.index % self.lag] = slot
        return state.model_copy(update={"clusters": clusters, "slots": slots})

    def _begun(self, state: SamplingState) -> SamplingState:
        """The state, or the first one: pages that cannot be read, then probes."""
        source = sha256_text("\n".join(page.key for page in self._pages))
        if state.source:
            if state.source != source or len(state.slots) != self.lag:
                raise InputError(
                    "the pages of the source, or generator.feedback_lag, are not those of the "
                    "dataset's state: run without generator.continue_state"
                )
            return state
        clusters = [ClusterState(pages=len(pages)) for pages in self._order]
        slots: list[int | None] = []
        for index in range(self.lag):
            if index < len(self._unusable):
                slots.append(len(self._pages) + index)
                continue
            slot, clusters = self._planned(clusters)
            slots.append(slot)
        return SamplingState(
            source=source, slots=slots, clusters=clusters, calibration=self._calibration
        )

    def _planned(self, clusters: list[ClusterState]) -> tuple[int | None, list[ClusterState]]:
        """The next page, and the clusters after it is taken."""
        number = next_cluster(clusters, self.settings.sampling)
        if number is None:
            return None, clusters
        cluster = clusters[number]
        taken = cluster.model_copy(update={"taken": cluster.taken + 1})
        return self._order[number][cluster.taken], [
            taken if k == number else other for k, other in enumerate(clusters)
        ]

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The layout and the elements of a page, with labels or without."""
        item: PageTask = task.item
        page = item.page
        run = Run(context.run_in_worker, self.settings.reading)
        vision = self.settings.vision
        local = {name: family for name, family in self._families.items() if name not in vision}
        try:
            read = await read_page(page, local, run)
        except (WorkerError, OSError) as error:
            yield _nothing(page, "page not rendered", str(error))
            return
        read.parsed.extend(await parse_by_models(page, read, vision, context, run))
        read.parsed.sort(key=lambda parsed: self.settings.parsers.index(parsed.parser))
        size = page.width, page.height
        found = await run(page_consensus, read.parsed, self.settings.target, item.thresholds, size)
        failures = _failures(read)
        if not found:
            yield _nothing(page, "nothing found on the page", "; ".join(failures.values()))
            return
        margin = self.settings.reading.margin
        images = await run(crops, read.png, [c.box for c in found], read.scale, margin)
        for order, (consensus, png) in enumerate(zip(found, images, strict=True)):
            detail = RowDetail(
                page=page.path,
                number=page.number,
                width=page.width,
                height=page.height,
                cluster=item.cluster,
                order=order,
                scale=read.scale,
                crop=(
                    max(0.0, consensus.box[0] - margin),
                    max(0.0, consensus.box[1] - margin),
                    consensus.box[2] + margin,
                    consensus.box[3] + margin,
                ),
                consensus=consensus,
                failures=failures,
            )
            image = await context.write_media(png, "image", "image/png")
            yield candidate(detail, image, page.origin)

    def describe(self, row: Row, verbose: bool = False) -> str | None:
        """The tier, the votes and the label."""
        return None if row.detail == "{}" else describe(RowDetail.model_validate_json(row.detail))

    def picture(self, row: Row, media: Path) -> bytes | None:
        """The page with its regions, or an element above what is said about it."""
        if not row.media:
            return None
        detail = RowDetail.model_validate_json(row.detail)
        return picture(detail, (media / row.media[0].path).read_bytes())


def _failures(read: ReadPage) -> dict[str, str]:
    failures = {page.parser: page.failure for page in read.parsed if page.failure}
    failures |= {page.parser: "no text layer" for page in read.parsed if page.absent}
    return failures


def _counted(cluster: ClusterState, outcome: TaskOutcome) -> ClusterState:
    """The cluster after one more page: its elements by tier."""
    tiers = {"easy": 0, "medium": 0, "hard": 0}
    for row in outcome.rows:
        if row.detail != "{}":
            consensus = RowDetail.model_validate_json(row.detail).consensus
            if consensus.task != "layout":
                tiers[consensus.tier] += 1
    valid = bool(tiers["easy"] + tiers["medium"])
    return cluster.model_copy(
        update={
            "easy": cluster.easy + tiers["easy"],
            "medium": cluster.medium + tiers["medium"],
            "hard": cluster.hard + tiers["hard"],
            "valid": cluster.valid + valid,
            "invalid": cluster.invalid + (not valid),
        }
    )


def _nothing(page: PageFile, reason: str, detail: str) -> Candidate:
    """A candidate without an image that says why a page has no labels."""
    verdict = Verdict(filter=CHECK, status="fail", reason=reason, detail=detail[:300] or None)
    return Candidate(
        kind="annotation",
        messages=[user(f"page {page.number} of {page.sha256}")],
        verdicts=[verdict],
        sources=[page.origin],
    )
