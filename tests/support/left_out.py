"""How many thorough tests `make test` leaves out, which its last lines say."""

from collections.abc import Sequence
from typing import Any

import pytest

_MARKS = ("thorough", "slow")
_KEY = "thorough_tests_left_out"


class LeftOut:
    """Counts the thorough tests that `-m` leaves out; xdist does not count them.

    Each process of xdist collects every test and leaves the same ones out, so the largest of their
    counts is the count.
    """

    def __init__(self) -> None:
        self.count = 0

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        # What `-k` leaves out comes here too, in a call of its own, and nobody asked for it.
        if all(any(map(item.get_closest_marker, _MARKS)) for item in items):
            self.count += sum(item.get_closest_marker("thorough") is not None for item in items)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_KEY] = self.count

    # Optional, for `pytest -p no:xdist`.
    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        # A process that crashed has said nothing.
        self.count = max(self.count, getattr(node, "workeroutput", {}).get(_KEY, 0))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.count:
            terminalreporter.write_line(
                f"{self.count} thorough tests were left out; `make test-all` runs them, too."
            )
