"""Artifacts that a flow run shows on its page."""

import re
import time
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.logging import get_run_logger

from synthmill.flows.report_text import funnel_rows, one_line, outcome
from synthmill.pipelines.progress import Progress
from synthmill.schemas.report import RunReport

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
            await self._show(_percent(progress), one_line(progress))

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


def _percent(progress: Progress) -> float:
    if not progress.target:
        return 0.0
    return min(100.0, 100.0 * progress.accepted / progress.target)
