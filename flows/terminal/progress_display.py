"""The progress of a run: a live display on a terminal, plain lines elsewhere."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.progress_bar import ProgressBar
from rich.table import Table

from synthmill.flows.report_text import (
    accepted_text,
    counts_text,
    one_line,
    spending_text,
    tasks_text,
    time_left_text,
)
from synthmill.flows.terminal.console import text
from synthmill.pipelines.progress import Progress

OnProgress = Callable[[Progress], None]
SECONDS_BETWEEN_LINES = 5.0
TOP_REJECTS = 5
BAR_WIDTH = 40


@contextmanager
def show_progress(console: Console, title: str) -> Iterator[OnProgress]:
    """A callback that shows progress on `console` until the block ends."""
    if not console.is_terminal or console.is_dumb_terminal:  # nothing can be redrawn there
        yield PlainLines(console, title)
        return
    start = text(f"{title}: starting", "bold")
    # The display has its own thread, since the engine's event loop is busy with tasks.
    with Live(start, console=console, refresh_per_second=4, transient=True) as live:
        yield lambda progress: live.update(display(title, progress))


@contextmanager
def show_count(title: str) -> Iterator[Callable[[int, int], None]]:
    """A callback that shows how many of how many rows are done, on standard error.

    A bar on a terminal, elsewhere a line every few seconds.
    """
    console = Console(stderr=True, markup=False, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        with RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        ) as progress:
            task = progress.add_task(title, total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)
        return
    next_line = time.monotonic() + SECONDS_BETWEEN_LINES

    def line(done: int, total: int) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            console.print(text(f"{title}: {done:,} of {total:,} rows"), soft_wrap=True)

    yield line


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
        status = re.sub(r"\d+", "", progress.status or "")  # a countdown is not a change
        if status == self._status and self._clock() < self._next:
            return
        self._status = status
        self._next = self._clock() + SECONDS_BETWEEN_LINES
        self._console.print(text(f"{self._title}: {one_line(progress)}"), soft_wrap=True)


def display(title: str, progress: Progress) -> RenderableType:
    """The state of a run as a few lines that are redrawn."""
    if (preparing := progress.preparation) is not None and preparing.total:
        grid = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=preparing.total, completed=preparing.done, width=BAR_WIDTH)
        grid.add_row(bar, text(str(preparing), "green"))
        return Group(text(title, "bold"), grid)
    lines: list[RenderableType] = [
        text(title, "bold"),
        _bar(progress),
        text(counts_text(progress)),
        text("; ".join(filter(None, (tasks_text(progress), spending_text(progress))))),
    ]
    if progress.rejects:
        lines.append(_rejects(progress))
    if progress.status:
        lines.append(text(progress.status, "bold yellow"))
    return Group(*lines)


def _bar(progress: Progress) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    bounded = progress.targets.ends_the_run
    bar = ProgressBar(
        total=1.0 if bounded else None,
        completed=progress.targets.share(progress.by_kind),
        width=BAR_WIDTH,
        complete_style="green",
        pulse=not bounded,
    )
    grid.add_row(bar, text(accepted_text(progress), "green"), text(time_left_text(progress)))
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
