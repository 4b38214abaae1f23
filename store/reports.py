"""Run reports as records of the catalog's tables."""

from collections import defaultdict
from typing import Any

from pydantic import ValidationError

from synthmill.schemas.identity import canonical_json
from synthmill.schemas.report import RunReport
from synthmill.store.home import Home

Records = dict[str, list[dict[str, Any]]]


def report_records(home: Home) -> tuple[Records, list[str]]:
    """Records for `runs`, `funnel`, `usage` and `failures`, and the reports that are none."""
    records: Records = defaultdict(list)
    problems = []
    for run_id in home.run_ids():
        path = home.run(run_id) / "report.json"
        if not path.is_file():
            continue  # the run has not come that far
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
    records["runs"].append({**run, "by_kind": canonical_json(report.by_kind)})
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
                "bought_completion_tokens": bought.completion_tokens,
                "dollars": bought.dollars,
            }
        )
    for where, reasons in {"task": report.failures, **wire}.items():
        records["failures"].extend(
            {"run_id": report.run_id, "stage": where, "reason": reason, "count": count}
            for reason, count in reasons.items()
        )
