"""Artifacts that a flow run shows on its page."""

import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from prefect import task
from prefect.artifacts import (
    acreate_link_artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.logging import get_run_logger

from synthmill.flows.report_text import funnel_rows, markdown, one_line, outcome
from synthmill.pipelines.progress import Progress
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Row
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.store.reports import report_path

UPDATE_SECONDS = 5.0


def artifact_key(text: str) -> str:
    """A key that Prefect accepts: lower case letters, digits and single dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def log_funnel(report: RunReport) -> None:
    """Put the funnel into the run's log, which is the first thing that its page shows."""
    logger = get_run_logger()
    for row in funnel_rows(report.funnel):
        logger.info(
            "%s: %d reached, %d passed, %d failed, %d errors, %d skipped; %s",
            *row[:-1],
            row.reasons or "no rejection",
        )


@task(name="batch", task_run_name="version {version}: {accepted} accepted, {rejected} rejected")
async def record_batch(version: int, accepted: int, rejected: int, reasons: dict[str, int]) -> None:
    """A committed batch as a task of the flow run: its name and log say what it holds."""
    said = ", ".join(f"{reason} ({count})" for reason, count in reasons.items())
    get_run_logger().info("rejected: %s", said or "none")


async def show_batch(version: int, rows: Sequence[Row]) -> None:
    """Show a committed batch on the run's page; an API that does not answer never ends a run."""
    rejected = [row for row in rows if row.status == "rejected"]
    reasons = Counter(
        next((v.reason or v.filter for v in row.verdicts if v.status in ("fail", "error")), "?")
        for row in rejected
    )
    try:
        await record_batch(
            version, len(rows) - len(rejected), len(rejected), dict(reasons.most_common(10))
        )
    except Exception as error:
        get_run_logger().warning("batch not shown: %s", error)


async def publish_report(report: RunReport, home: Home) -> None:
    """The report, the funnel as a table, and links to the report's file and to the dataset."""
    key = artifact_key(report.dataset)
    about = f"run {report.run_id}"
    await acreate_markdown_artifact(
        markdown(report), key=f"{key}-report", description=f"Report of {about}"
    )
    await acreate_table_artifact(
        [row._asdict() for row in funnel_rows(report.funnel)],
        key=f"{key}-funnel",
        description=f"What each filter did in {about}",
    )
    await acreate_link_artifact(
        report_path(home, report.run_id).as_uri(),
        link_text=f"report.json of {report.run_id}",
        key=f"{key}-report-file",
        description=f"The report of {about} in the data folder",
    )
    await acreate_link_artifact(
        Path(Dataset.open(home, report.dataset).location).as_uri(),
        link_text=report.dataset,
        key=f"{key}-dataset",
        description=f"The Delta table of dataset {report.dataset}",
    )


class ProgressArtifact:
    """A bar on the run's page and a line in its log, both every few seconds.

    It is for display only: an API that does not answer never ends a run.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._id: UUID | None = None
        self._next = 0.0
        self._percent = 0.0
        self._logger = get_run_logger()

    async def update(self, progress: Progress) -> None:
        """Show the state of the run, every few seconds."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + UPDATE_SECONDS
            percent = 100 * progress.targets.share(progress.by_kind)
            await self._show(percent, one_line(progress))

    async def end(self, report: RunReport) -> None:
        """Show the result; the bar is full if nothing is left to do."""
        if not report.resumable:
            self._percent = 100.0
        await self._show(self._percent, outcome(report))

    async def _show(self, percent: float, line: str) -> None:
        self._percent = percent
        self._logger.info(line)
        try:
            await self._draw(percent, line)
        except Exception as error:
            self._logger.warning("progress artifact not updated: %s", error)

    async def _draw(self, percent: float, line: str) -> None:
        if self._id is None:
            self._id = await acreate_progress_artifact(
                percent, key=f"{artifact_key(self._name)}-progress", description=line
            )
        else:
            await aupdate_progress_artifact(self._id, percent, description=line)
