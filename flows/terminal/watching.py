"""Showing a run while it works: a live display on a terminal, plain lines elsewhere."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from synthmill.flows.funnel import balance
from synthmill.flows.terminal.console import counted, duration, text
from synthmill.pipelines.progress import Progress

Watcher = Callable[[Progress], None]
SECONDS_BETWEEN_LINES = 5.0
TOP_REJECTS = 5
BAR_WIDTH = 40


@contextmanager
def watching(console: Console, title: str) -> Iterator[Watcher]:
    """A watcher that shows progress on `console` as long as the block lasts."""
    if not console.is_terminal or console.is_dumb_terminal:  # nothing can be drawn over there
        yield PlainLines(console, title)
        return
    start = text(f"{title}: starting", "bold")
    # The engine's loop is busy with tasks; a thread of its own keeps the display moving.
    with Live(start, console=console, refresh_per_second=4, transient=True) as live:
        yield lambda progress: live.update(display(title, progress))


class PlainLines:
    """A line every few seconds, and one whenever the status changes."""

    def __init__(
        self, console: Console, title: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._title = title
        self._clock = clock
        self._next = clock()
        self._status = ""

    def __call__(self, progress: Progress) -> None:
        """Print a line if it is time."""
        status = re.sub(r"\d+", "", progress.status or "")  # a countdown is no news
        if status == self._status and self._clock() < self._next:
            return
        self._status = status
        self._next = self._clock() + SECONDS_BETWEEN_LINES
        self._console.print(text(f"{self._title}: {one_line(progress)}"), soft_wrap=True)


def one_line(progress: Progress) -> str:
    """Where a run stands, in a line of a log."""
    parts = [f"{duration(progress.seconds)} {_accepted(progress)}", _counts(progress)]
    parts += [f"{_tasks(progress)}", _spending(progress), _left(progress)]
    if progress.rejects:
        reason, count = progress.rejects.most_common(1)[0]
        parts.append(f"most rejected by {reason} ({count:,})")
    return "; ".join(part for part in (*parts, progress.status) if part)


def display(title: str, progress: Progress) -> RenderableType:
    """Where a run stands, as a few lines that are drawn over and over."""
    lines: list[RenderableType] = [
        text(title, "bold"),
        _bar(progress),
        text(_counts(progress)),
        text("; ".join(filter(None, (_tasks(progress), _spending(progress))))),
    ]
    if progress.rejects:
        lines.append(_rejects(progress))
    if progress.status:
        lines.append(text(progress.status, "bold yellow"))
    return Group(*lines)


def _bar(progress: Progress) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    bar = ProgressBar(
        total=progress.target,
        completed=min(progress.accepted, progress.target or progress.accepted),
        width=BAR_WIDTH,
        complete_style="green",
        pulse=progress.target is None,
    )
    grid.add_row(bar, text(_accepted(progress), "green"), text(_left(progress)))
    return grid


def _rejects(progress: Progress) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right")
    grid.add_column(no_wrap=True, overflow="ellipsis")
    ranked = progress.rejects.most_common()
    for reason, count in ranked[:TOP_REJECTS]:
        grid.add_row(text(f"{count:,}", "red"), text(reason))
    others = sum(count for _, count in ranked[TOP_REJECTS:])
    if others:
        grid.add_row(text(f"{others:,}", "red"), text("for other reasons"))
    return grid


def _accepted(progress: Progress) -> str:
    if not progress.target:
        return f"{progress.accepted:,} accepted"
    share = progress.accepted / progress.target
    return f"{progress.accepted:,}/{progress.target:,} accepted ({share:.0%})"


def _counts(progress: Progress) -> str:
    return balance(progress.accepted, progress.rejected, progress.failed)


def _tasks(progress: Progress) -> str:
    calls = f", {counted(progress.calls, 'model call')} answered" if progress.calls else ""
    return f"{counted(progress.tasks, 'task')} done, {progress.at_work:,} at work{calls}"


def _spending(progress: Progress) -> str:
    if not progress.tokens:
        return ""
    spent = f"{progress.tokens:,} tokens, {progress.tokens_per_second:,.0f}/s"
    return spent + (f", ${progress.dollars:,.4f}" if progress.dollars else "")


def _left(progress: Progress) -> str:
    left = progress.seconds_left
    return "" if left is None else f"about {duration(left)} left"
