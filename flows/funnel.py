"""What a run report says, as rows of a table: one wording for terminal, artifact and card."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from synthmill.schemas.report import FunnelStage, RunReport
from synthmill.schemas.usage import Usage

TOP_REASONS = 3


class FunnelRow(NamedTuple):
    """One line of the funnel: what reached a stage, what went no further, and why."""

    stage: str
    reached: int
    passed: int
    failed: int
    errors: int
    skipped: int
    reasons: str


HEADINGS = ("stage", "reached", "passed", "failed", "errors", "skipped", "most frequent reasons")


def funnel_rows(stages: Iterable[FunnelStage]) -> list[FunnelRow]:
    """The filters in order."""
    return [
        FunnelRow(
            stage.filter,
            stage.passed + stage.failed + stage.errors + stage.skipped,
            stage.passed,
            stage.failed,
            stage.errors,
            stage.skipped,
            top(stage.reasons),
        )
        for stage in stages
    ]


def top(reasons: Mapping[str, int], most: int = TOP_REASONS) -> str:
    """`wrong answer (41), too long (3)`: the most frequent first, and how many the others are."""
    ranked = Counter(reasons).most_common()
    shown = [f"{reason} ({count:,})" for reason, count in ranked[:most]]
    others = sum(count for _, count in ranked[most:])
    return ", ".join([*shown, *([f"others ({others:,})"] if others else [])])


def balance(accepted: int, rejected: int, failed: int) -> str:
    """`100 emitted = 60 accepted + 38 rejected + 2 failed`."""
    return (
        f"{accepted + rejected + failed:,} emitted = {accepted:,} accepted + "
        f"{rejected:,} rejected + {failed:,} failed"
    )


def stop_text(stop: str | None, detail: str | None) -> str:
    """Why a run ended, with the particulars."""
    return f"{stop or 'not ended'}{f' ({detail})' if detail else ''}"


def outcome(report: RunReport) -> str:
    """One line: why the run ended, and the counts, which add up."""
    why = stop_text(report.stop, report.stop_detail)
    return f"{why}: {balance(report.accepted, report.rejected, report.failed)}"


def cost(report: RunReport) -> str:
    """One line: calls, tokens and dollars, and how much of it the response cache answered."""
    asked = sum((used.asked for used in report.usage.values()), Usage())
    bought = sum((used.bought for used in report.usage.values()), Usage())
    line = f"{asked.calls:,} model calls, {asked.tokens:,} tokens"
    if asked.tokens > bought.tokens:
        line += f" ({asked.tokens - bought.tokens:,} from the response cache)"
    if report.unused.tokens:
        line += f", {report.unused.tokens:,} of them by tasks that were not needed"
    if bought.dollars:
        line += f", ${bought.dollars:,.4f}"
    if bought.unpriced_tokens:
        line += f", {bought.unpriced_tokens:,} tokens of models without a known price"
    return line
