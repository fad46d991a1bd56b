import io

import pytest
from rich.console import Console

from cli.job_display import Bar, Lines, display, stages
from shared.jobs.job import Job
from tests.support.jobs import job


def _job(status: str, stage: str | None, progress: float = 0.5) -> Job:
    return job(status=status, stage=stage, progress=progress)


@pytest.mark.parametrize(
    ("seen", "marks"),
    [
        (_job("running", "load"), "●○○○○○○"),
        (_job("running", "export"), "✓✓✓✓●○○"),
        (_job("queued", "evaluate"), "✓✓●○○○○"),
        (_job("failed", "verify"), "✓✓✓✓✓✗○"),
        (_job("cancelled", "fit"), "✓✗○○○○○"),
        (_job("succeeded", "publish"), "✓✓✓✓✓✓✓"),
    ],
)
def test_every_stage_has_a_mark(seen: Job, marks: str) -> None:
    names = ["load", "fit", "evaluate", "plot", "export", "verify", "publish"]
    shown = stages(seen, ascii_only=False).plain.split()
    assert shown == [word for pair in zip(marks, names, strict=True) for word in pair]
    plain = stages(seen, ascii_only=True).plain
    assert plain.isascii() and plain.split()[1::2] == names


@pytest.mark.parametrize(
    ("terminal", "environment", "kind"),
    [
        (True, {"TERM": "xterm"}, Bar),
        (True, {"TERM": "dumb"}, Lines),
        (False, {"TERM": "xterm"}, Lines),
    ],
)
def test_only_a_terminal_gets_a_bar(
    terminal: bool, environment: dict[str, str], kind: type[object]
) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, _environ=environment)
    with display(console) as shown:
        assert isinstance(shown, kind)


def test_a_line_for_each_change_and_none_twice() -> None:
    written = io.StringIO()
    shown = Lines(Console(file=written))
    shown.show(_job("queued", None))
    shown.show(_job("running", None))
    shown.show(_job("running", "load"))
    shown.show(_job("running", "load", 0.6))
    for _ in range(3):
        shown.say("away [bold]")
    shown.show(_job("running", "fit"))
    shown.show(_job("failed", "fit"))
    assert written.getvalue().splitlines() == ["queued", "load", "away [bold]", "fit", "failed"]


def test_the_bar_says_why_nothing_is_seen() -> None:
    written = io.StringIO()
    environment = {"TERM": "xterm"}
    console = Console(file=written, force_terminal=True, width=100, _environ=environment)
    with display(console) as shown:
        shown.show(_job("queued", None, 0.0))
        shown.say("the API is stopping; trying again")
    assert "waiting for a worker" in written.getvalue()
    assert "the API is stopping" in written.getvalue()
