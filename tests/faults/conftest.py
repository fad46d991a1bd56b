"""Faults come a few times in `make test`; in `make faults` many times, with load and figures."""

from collections.abc import Callable

import pytest

from benchmarks.results import write_section
from tests.processes import ROOT

FIGURES = ROOT / "benchmarks" / "faults.md"
_LONG_SECONDS = 3600

Times = Callable[[int, int], int]
Figure = Callable[[str], None]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        for item in items:
            item.add_marker(pytest.mark.timeout(_LONG_SECONDS))


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether ratios and rates are held too; without it a test asserts behaviour alone."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def times(long: bool) -> Times:
    """How often: `times(few, many)`."""
    return lambda few, many: many if long else few


@pytest.fixture
def figure(request: pytest.FixtureRequest, long: bool) -> Figure:
    """Notes what was measured: a section of `benchmarks/faults.md`, from the long versions only."""

    def note(text: str) -> None:
        print(text)
        if long:
            write_section(request.node.name, text, FIGURES)

    return note
