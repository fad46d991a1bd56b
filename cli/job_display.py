"""A training run while it goes on: a moving bar on a terminal, plain lines anywhere else."""

from types import TracebackType
from typing import Self

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
    """Every stage with a mark: done, the one that runs or in which the run ended, or to come."""
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
    """Two or three lines that are drawn anew: the stages, the bar with the time since the watch
    began, and what keeps the run out of sight."""

    def __init__(self, console: Console) -> None:
        self._ascii_only = console.options.ascii_only
        self._progress = Progress(
            SpinnerColumn("line" if self._ascii_only else "dots", finished_text=" "),
            BarColumn(bar_width=60, complete_style="cyan", finished_style="green"),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._progress.add_task("run", total=1.0)
        self._live = Live(self._progress, console=console, refresh_per_second=10)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._progress.stop_task(self._task)
        self._live.stop()

    def show(self, job: Job) -> None:
        self._progress.update(self._task, completed=job.progress)
        line = Text("queued: waiting for a worker", "dim")
        if job.stage is not None:
            line = stages(job, ascii_only=self._ascii_only)
        self._live.update(Group(line, self._progress), refresh=True)

    def say(self, trouble: str) -> None:
        self._live.update(Group(Text(trouble, "yellow"), self._progress), refresh=True)


class Lines:
    """A line for each change of the status, the stage or the trouble."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        return None

    def show(self, job: Job) -> None:
        if job.status is not JobStatus.RUNNING:
            self._print(job.status)
        elif job.stage is not None:
            self._print(job.stage)

    def say(self, trouble: str) -> None:
        self._print(trouble)

    def _print(self, line: str) -> None:
        if line != self._said:
            self._said = line
            self._console.out(line, highlight=False)


def display(console: Console) -> Bar | Lines:
    return Bar(console) if console.is_terminal and not console.is_dumb_terminal else Lines(console)
