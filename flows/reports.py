"""Run reports as they lie in a home."""

from pathlib import Path

from synthmill.schemas.report import RunReport
from synthmill.store.home import Home


def report_path(home: Home, run_id: str) -> Path:
    """Where a run's report is; there is none before the run has begun its work."""
    return home.run(run_id) / "report.json"


def read_report(home: Home, run_id: str) -> RunReport:
    """The report of a run that has one."""
    return RunReport.model_validate_json(report_path(home, run_id).read_bytes())
