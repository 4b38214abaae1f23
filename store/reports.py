"""Run reports: where they are, whether their run still works, their records in the catalog."""

import fcntl
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.report import RunReport, RunState
from synthmill.store.errors import translate_errors
from synthmill.store.home import PRIVATE, Home

Records = dict[str, list[dict[str, Any]]]


def report_path(home: Home, run_id: str) -> Path:
    """The report of a run; the file appears when the run starts."""
    return home.run(run_id) / "report.json"


def log_path(home: Home, run_id: str) -> Path:
    """The tracebacks of a run's failed tasks; the file appears with the first one."""
    return home.run(run_id) / "log.txt"


def read_report(home: Home, run_id: str) -> RunReport:
    """The report of a run that has one."""
    return RunReport.model_validate_json(report_path(home, run_id).read_bytes())


def reports(home: Home) -> list[RunReport]:
    """The readable reports of a home, the newest run first."""
    found = []
    for run_id in home.run_ids():
        try:
            found.append(read_report(home, run_id))
        except (OSError, ValidationError):  # the catalog names what cannot be read
            continue
    return sorted(found, key=lambda report: report.started_at, reverse=True)


@contextmanager
def at_work(home: Home, run_id: str) -> Iterator[None]:
    """Hold the lock that says that a run works; the kernel releases it when the process dies.

    Raises:
        InputError: another process works on the run, or the folder cannot be written.
    """
    path = _lock_path(home, run_id)
    with translate_errors(f"run {run_id}"):
        path.parent.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        lock = path.open("a")
    with lock:
        if not _locked(lock):
            raise InputError(
                f"run {run_id}: another process works on it; let it finish, or resume once it "
                "has ended"
            )
        yield


def run_state(home: Home, report: RunReport) -> RunState:
    """What a run does now; `killed` where its process is gone without a last report."""
    match report.stop:
        case None:
            return "running" if _is_at_work(home, report.run_id) else "killed"
        case "interrupted" | "failed":
            return report.stop
    return "finished"


def _is_at_work(home: Home, run_id: str) -> bool:
    try:
        with _lock_path(home, run_id).open() as lock:
            return not _locked(lock)
    except OSError:
        return False


def _lock_path(home: Home, run_id: str) -> Path:
    return home.run(run_id) / "lock"


def _locked(lock: Any) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
            _add(records, report, run_state(home, report))
        else:
            problems.append(f"{path}: seed {report.seed} does not fit into 64 bits")
    return records, problems


def _add(records: Records, report: RunReport, state: RunState) -> None:
    left_out = {"failures", "funnel", "usage", "used", "unused", "rejections"}
    run = report.model_dump(exclude=left_out)
    asked = report.asked
    spent = {
        "calls": asked.calls,
        "prompt_tokens": asked.prompt_tokens,
        "generated_tokens": asked.completion_tokens,
        "used_tokens": report.used.tokens,
        "unused_tokens": report.unused.tokens,
        "bought_tokens": report.bought.tokens,
        "dollars": report.bought.dollars,
        "unused_dollars": report.unused.dollars,
    }
    texts = {
        "by_kind": canonical_json(report.by_kind),
        "target": None if report.target is None else canonical_json(report.target),
    }
    records["runs"].append({**run, **spent, **texts, "state": state})
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
