"""The display of a run while it goes on: a moving bar on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TimeElapsedColumn
from rich.text import Text

from shared.jobs.job import Job, JobStatus, Stage

_STAGES = list(Stage)


def _is_done(stage: Stage, job: Job) -> bool:
    if job.status is JobStatus.SUCCEEDED:
        return True
    return job.stage is not None and _STAGES.index(stage) < _STAGES.index(job.stage)


def stages(job: Job, *, ascii_only: bool) -> Text:
    """Return every stage with a mark: done, running, where the run ended, or to come."""
    done, now, ended, to_come = "x>!." if ascii_only else "✓●✗○"
    line = Text()
    for stage in _STAGES:
        if _is_done(stage, job):
            mark, style = done, "green"
        elif stage is job.stage and job.has_ended:
            mark, style = ended, "red"
        elif stage is job.stage:
            mark, style = now, "bold cyan"
        else:
            mark, style = to_come, "dim"
        line.append(f"{mark} {stage}   ", style)
    return line


class Bar:
    """Two lines that are drawn again and again: the stages, or why the run cannot be seen; and the
    bar, with the time since the watch began."""

    def __init__(self, live: Live, progress: Progress) -> None:
        self._live = live
        self._progress = progress
        self._task = progress.add_task("run", total=1.0)

    def show(self, job: Job) -> None:
        self._progress.update(self._task, completed=job.progress)
        line = Text("queued: waiting for a worker", "dim")
        if job.stage is not None:
            line = stages(job, ascii_only=self._live.console.options.ascii_only)
        self._live.update(Group(line, self._progress), refresh=True)

    def say(self, trouble: str) -> None:
        """Show why the run cannot be seen."""
        self._live.update(Group(Text(trouble, "yellow"), self._progress), refresh=True)

    def stop(self) -> None:
        self._progress.stop_task(self._task)


class Lines:
    """A line for each change of the status, the stage or the trouble."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = ""

    def show(self, job: Job) -> None:
        if job.status is not JobStatus.RUNNING:
            self.say(job.status)
        elif job.stage is not None:
            self.say(job.stage)

    def say(self, trouble: str) -> None:
        if trouble != self._said:
            self._said = trouble
            self._console.out(trouble, highlight=False)


@contextmanager
def display(console: Console) -> Iterator[Bar | Lines]:
    """Open a bar on a terminal that can move its cursor, and lines elsewhere."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(console)
        return
    ascii_only = console.options.ascii_only
    progress = Progress(
        SpinnerColumn("line" if ascii_only else "dots", finished_text=" "),
        BarColumn(bar_width=60, complete_style="cyan", finished_style="green"),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
    )
    with Live(progress, console=console, refresh_per_second=10) as live:
        bar = Bar(live, progress)
        try:
            yield bar
        finally:
            bar.stop()
