"""Run reports and progress as text: the same wording on the terminal, in Prefect and in logs."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from synthmill.pipelines.progress import Progress
from synthmill.schemas.report import FunnelStage, RunReport
from synthmill.schemas.targets import ROWS, Targets, accepted
from synthmill.store.home import Home
from synthmill.store.media import MEDIA_DIR

TOP_REASONS = 3


class FunnelRow(NamedTuple):
    """One line of the funnel: candidates that reached a filter, its verdicts and reasons."""

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
    """`wrong answer (41), too long (3)`: the most frequent first, then the sum of the others."""
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
    """Why a run ended, with details."""
    return f"{stop or 'not ended'}{f' ({detail})' if detail else ''}"


def outcome(report: RunReport) -> str:
    """One line: why the run ended, and the counts, which add up."""
    why = stop_text(report.stop, report.stop_detail)
    line = f"{why}: {balance(report.accepted, report.rejected, report.failed)}"
    if report.continues:
        line += f"; began behind the tasks of run {report.continues}"
    return line


def cost(report: RunReport) -> str:
    """One line: calls, tokens and dollars; what the response cache answered; what was not used."""
    asked, bought, unused = report.asked, report.bought, report.unused
    line = counted(asked.calls, "model call")
    line += f", {tokens_text(asked.prompt_tokens, asked.completion_tokens)}"
    if asked.tokens > bought.tokens:
        line += f" ({asked.tokens - bought.tokens:,} of both from the response cache)"
    if unused.tokens:
        enough = report.stop in ("target met", "budget spent")
        why = "were not needed" if enough else "had not ended, for `resume`"
        line += f", {unused.tokens:,} of both by tasks that {why}"
    if bought.dollars:
        line += f", ${bought.dollars:,.4f}"
    if bought.unpriced_tokens:
        line += f", {bought.unpriced_tokens:,} tokens of models without a known price"
    return line


def markdown(report: RunReport) -> str:
    """The report as Markdown, for a flow run's page."""
    lines = [
        f"# {report.recipe}: {stop_text(report.stop, report.stop_detail)}",
        "",
        f"{balance(report.accepted, report.rejected, report.failed)}  ",
        *(f"{line}  " for line in (done_text(report), *shortfall(report))),
        f"{length_text(report)}{cost(report)}  ",
        f"dataset `{report.dataset}`, {versions_text(report)}, run `{report.run_id}`, "
        f"seed {report.seed}",
        "",
        _markdown_row(HEADINGS),
        _markdown_row(["---", *["---:"] * 5, "---"]),
        *(_markdown_row(row) for row in funnel_rows(report.funnel)),
    ]
    if report.failures:
        lines += ["", f"Failed tasks: {_escaped(top(report.failures))}"]
    return "\n".join(lines)


def _markdown_row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(_escaped(str(cell)) for cell in cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def length_text(report: RunReport) -> str:
    return f"{duration(report.seconds)} long, " if report.ended_at else ""


def versions_text(report: RunReport) -> str:
    if not report.versions:
        return "no version committed"
    first, last, count = report.versions[0], report.versions[-1], len(report.versions)
    if first == last:
        return f"version {last}"
    # Another run may have written to the dataset meanwhile.
    return f"{'' if count == last - first + 1 else f'{count} of the '}versions {first} to {last}"


def one_line(progress: Progress) -> str:
    """The state of a run as one line of a log."""
    parts = [f"{duration(progress.seconds)} {accepted_text(progress)}", counts_text(progress)]
    parts += [f"{tasks_text(progress)}", spending_text(progress), time_left_text(progress)]
    if progress.rejects:
        reason, count = progress.rejects.most_common(1)[0]
        parts.append(f"most rejected by {reason} ({count:,})")
    return "; ".join(part for part in (*parts, progress.status) if part)


def accepted_text(progress: Progress) -> str:
    made = made_text(progress.targets, progress.by_kind)
    if not progress.targets.ends_the_run:
        return f"{made} accepted"
    # Rounded down, as 100 % is said of a target that is met; 0.29 * 100 is a little below 29.
    percent = int(100 * progress.targets.share(progress.by_kind) + 1e-9)
    return f"{made} accepted ({percent}%)"


def made_text(targets: Targets, by_kind: Mapping[str, int]) -> str:
    """`80/100`, or by kind `80/100 sft, 50/50 rlvr, 12 preference`; kinds without a number last."""
    if not targets.limits or ROWS in targets.limits:
        made = f"{sum(by_kind.values()):,}"
        return made + "".join(f"/{limit:,}" for limit in targets.limits.values())
    named = [f"{by_kind.get(kind, 0):,}/{limit:,} {kind}" for kind, limit in targets.limits.items()]
    others = [f"{n:,} {kind}" for kind, n in by_kind.items() if kind not in targets.limits and n]
    return ", ".join([*named, *others])


def stored_made_text(target: str | None, by_kind: str) -> str:
    """`made_text` of the catalog's JSON texts."""
    return made_text(Targets(json.loads(target or "null")), json.loads(by_kind))


def done_text(report: RunReport) -> str:
    """`60 accepted rows (20 sft, 40 rlvr) in 0:00:14`: what a run has made."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.by_kind.items() if count)
    rows = counted(report.accepted, "accepted row") + (f" ({kinds})" if kinds else "")
    return f"{rows} in {duration(report.seconds)}"


def shortfall(report: RunReport) -> list[str]:
    """One line for each part of its target that a run missed (which filter rejected how much), and
    one that says what to change."""
    if report.stop not in ("source exhausted", "budget spent") or report.nothing_left:
        return []
    missed = [_missed(report, name, rows) for name, rows in report.missing.items()]
    return [*missed, f"to go on: {_remedy(report)}"] if missed else []


# Filters that reject what is not wanted, not what is bad: none of them can be milder.
NOT_WANTED = ("deleted_source", "source", "target", "unique_id")


def _remedy(report: RunReport) -> str:
    """What to change so that the target can be reached."""
    if report.stop == "budget spent":
        return f"synthmill resume {report.run_id} with a larger limit of the budget"
    kinds = report.rejections.keys() if ROWS in report.missing else report.missing.keys()
    rejected = sum((Counter(report.rejections.get(kind)) for kind in kinds), Counter[str]())
    tunable = [name for name, _ in rejected.most_common() if name not in NOT_WANTED]
    milder = f", or a milder {tunable[0]}" if tunable else ""
    return f"a larger source, another seed (--seed N){milder}"


def _missed(report: RunReport, name: str, rows: int) -> str:
    """`short of 20 sft rows: 80 of 100 accepted, 60 rejected by arithmetic (50), minhash (10)`."""
    kinds = report.rejections if name == ROWS else {name: report.rejections.get(name, {})}
    rejected = sum(map(Counter, kinds.values()), Counter[str]())
    made, kind = accepted(report.by_kind, name), "" if name == ROWS else f"{name} "
    parts = [
        f"short of {counted(rows, f'{kind}row')}: {made:,} of {made + rows:,} accepted",
        f"{rejected.total():,} rejected by {top(rejected)}" if rejected else "",
        f"no {kind}candidate came" if not made and not rejected else "",
        f"{counted(report.failed, 'task')} failed" if report.failed else "",
    ]
    return ", ".join(filter(None, parts))


def counts_text(progress: Progress) -> str:
    return balance(progress.accepted, progress.rejected, progress.failed)


def tasks_text(progress: Progress) -> str:
    calls = ""
    if progress.calls:
        rate = f"{progress.calls_per_second:,.1f}/s"
        calls = f", {counted(progress.calls, 'model call')} answered ({rate})"
    return f"{counted(progress.tasks, 'task')} done, {progress.in_progress:,} in progress{calls}"


def spending_text(progress: Progress) -> str:
    failures = f"failed attempts: {top(progress.call_failures)}" if progress.call_failures else ""
    if not progress.prompt_tokens + progress.generated_tokens:
        return failures
    spent = tokens_text(progress.prompt_tokens, progress.generated_tokens)
    dollars = f"${progress.dollars:,.4f}" if progress.dollars else ""
    return ", ".join(part for part in (spent, dollars, failures) if part)


def tokens_text(prompt: int, generated: int) -> str:
    """`1,200 prompt + 300 generated tokens`; prompts of continuations and retries count again."""
    return f"{prompt:,} prompt + {generated:,} generated tokens"


def time_left_text(progress: Progress) -> str:
    left = progress.seconds_left
    return "" if left is None else f"about {duration(left)} left"


def duration(seconds: float) -> str:
    """`1:02:03`, without fractions."""
    return str(timedelta(seconds=round(seconds)))


def counted(number: int, thing: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def hint(home: Home, *words: str) -> str:
    """`synthmill` with these words, and with --home where the data is not found without it."""
    place = [] if Home.find().path == home.path else ["--home", str(home.path)]
    return shlex.join(["synthmill", *words, *place])


def next_commands(report: RunReport, home: Home) -> list[str]:
    """Commands that are useful after a run."""
    name = report.dataset
    if not report.accepted:
        return [hint(home, "why", report.run_id)]
    exporter = _exporter(report, home)
    return [
        hint(home, "show", name),
        hint(home, "sql", f'select kind, count(*) from "{name}" group by kind'),
        hint(home, "export", name, "--to", exporter, "-o", f"{name}-{exporter}"),
    ]


def _exporter(report: RunReport, home: Home) -> str:
    """The exporter that can express most rows of the run."""
    if not (home.dataset(report.dataset) / MEDIA_DIR).is_dir():
        return "trl"
    return "verl" if set(report.by_kind) == {"rlvr"} else "ms_swift"
