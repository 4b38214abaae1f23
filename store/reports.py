"""Run reports: where they are, and their records in the catalog's tables."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from synthmill.schemas.identity import canonical_json
from synthmill.schemas.report import RunReport
from synthmill.store.home import Home

Records = dict[str, list[dict[str, Any]]]


def report_path(home: Home, run_id: str) -> Path:
    """The report of a run; the file appears when the run has started its work."""
    return home.run(run_id) / "report.json"


def read_report(home: Home, run_id: str) -> RunReport:
    """The report of a run that has one."""
    return RunReport.model_validate_json(report_path(home, run_id).read_bytes())


def report_records(home: Home) -> tuple[Records, list[str]]:
    """Records for `runs`, `funnel`, `usage` and `failures`, and one line per unreadable report."""
    records: Records = defaultdict(list)
    problems = []
    for run_id in home.run_ids():
        path = report_path(home, run_id)
        if not path.is_file():
            continue
        try:
            report = RunReport.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            problems.append(f"{path} is not a run report: {str(error).splitlines()[0]}")
            continue
        if -(2**63) <= report.seed < 2**63:
            _add(records, report)
        else:
            problems.append(f"{path}: seed {report.seed} does not fit into 64 bits")
    return records, problems


def _add(records: Records, report: RunReport) -> None:
    run = report.model_dump(exclude={"failures", "funnel", "usage", "used", "unused"})
    unused = {"unused_tokens": report.unused.tokens, "unused_dollars": report.unused.dollars}
    records["runs"].append({**run, **unused, "by_kind": canonical_json(report.by_kind)})
    for position, stage in enumerate(report.funnel):
        records["funnel"].append(
            {
                "run_id": report.run_id,
                "position": position,
                **stage.model_dump(),
                "reasons": canonical_json(stage.reasons),
            }
        )
    wire = {prompt: used.failures for prompt, used in report.usage.items()}
    for prompt, used in report.usage.items():
        asked, bought = used.asked, used.bought
        records["usage"].append(
            {
                "run_id": report.run_id,
                "prompt": prompt,
                "calls": asked.calls,
                "prompt_tokens": asked.prompt_tokens,
                "completion_tokens": asked.completion_tokens,
                "bought_calls": bought.calls,
                "bought_prompt_tokens": bought.prompt_tokens,
                "bought_cached_tokens": bought.cached_tokens,
                "bought_completion_tokens": bought.completion_tokens,
                "dollars": bought.dollars,
                "unpriced_tokens": bought.unpriced_tokens,
            }
        )
    for where, reasons in {"task": report.failures, **wire}.items():
        records["failures"].extend(
            {"run_id": report.run_id, "stage": where, "reason": reason, "count": count}
            for reason, count in reasons.items()
        )
