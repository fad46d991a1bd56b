"""A rolling restart, asked for again if uvicorn aborts it."""

from collections.abc import Callable

from tests.support.processes import RUN_SECONDS, wait_for

_ENDED = "Finished server process"
ABORTED = "aborting the restart"
"""uvicorn keeps the old processes if a new one is not ready within 30 s, as on a busy machine."""


def restart(ask: Callable[[], object], log: Callable[[], str], *, processes: int) -> None:
    """Send the signal with `ask` until the log says that so many more processes have ended."""
    ended = log().count(_ENDED) + processes
    while log().count(_ENDED) < ended:
        aborted = log().count(ABORTED)
        ask()
        wait_for(
            lambda aborted=aborted: log().count(_ENDED) >= ended or log().count(ABORTED) > aborted,  # type: ignore[misc]
            seconds=RUN_SECONDS,
        )
