"""The page in a real browser, in front of real processes."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.visit import Visit
from tests.support.processes import LONG_SECONDS, ROOT, RUN_SECONDS, Api, Process, Stack, wait_for

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"),
    # Without these three, Chromium asks its maker's hosts for this and that at every start.
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # As without a network: no name resolves, and only addresses of this machine can be reached.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
_TEST_SECONDS = 900
"""Also for the first test of a stack, which waits for the stack's first runs: eight of them took
three minutes on two processors that thirty processes shared."""

VisitOf = Callable[..., Visit]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(_TEST_SECONDS))


# For this package and no longer: while Playwright is there, no other test can run an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if found is None:
        sentence = f"none of {', '.join(_CHROMIUM)} is on PATH, so the browser ring cannot run"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    expect.set_options(timeout=1000 * LONG_SECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=_ARGUMENTS, timeout=1000 * RUN_SECONDS
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory, small_table: str) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("running"), training_data=small_table)
    yield stack
    stack.end()


@pytest.fixture(scope="package")
def worker(running: Stack) -> Process:
    return running.start_worker()


@pytest.fixture(scope="package")
def api(running: Stack, worker: Process) -> Api:
    """Two API processes, two versions, the second served."""
    api = running.start_api(processes=2)
    wait_for_first_version(api)
    api.wait_for_end(api.run_pipeline())
    return api


def wait_for_first_version(api: Api) -> None:
    """Wait until the first run has ended.

    The API is ready a moment earlier. Whoever asked for a run at that moment would be given the
    first one again, and there would be one version less.
    """

    def ended() -> bool:
        answer = api.http.get("/jobs")
        jobs = answer.json()["jobs"] if answer.status_code == 200 else []
        return bool(jobs) and all(job["finished_at"] is not None for job in jobs)

    wait_for(ended, seconds=RUN_SECONDS, why="the first run does not end")
    wait_for(api.version_everywhere)


@pytest.fixture
def visit_of(browser: Browser) -> Iterator[VisitOf]:
    """Opens pages of an API; what they complained of fails the test."""
    visits: list[Visit] = []

    def visit_of(api: Api, **options: Any) -> Visit:
        visits.append(Visit(browser, api.url, **options))
        return visits[-1]

    yield visit_of
    try:
        for visit in visits:
            visit.check()
    finally:
        for visit in visits:
            visit.close()


@pytest.fixture
def visit(visit_of: VisitOf, api: Api) -> Visit:
    return visit_of(api, viewport={"width": 1280, "height": 800})


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit.page


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where screenshots go: into `docs/` for `make screenshots`, else away."""
    return ROOT / "docs" / "screenshots" if request.config.getoption("--screenshots") else tmp_path
