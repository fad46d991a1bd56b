"""The page in a real browser, in front of real processes."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.processes import ROOT, Api, Stack, wait_for

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# Without the last four, it asks its maker's hosts for this and that at every start.
_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_TIMEOUT_MS = 30_000


# For this package and no longer: while Playwright is there, no other test can run an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if found is None:
        sentence = f"none of {', '.join(_CHROMIUM)} is on PATH, so the browser ring cannot run"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    expect.set_options(timeout=_TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory, small_table: str) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("running"), training_data=small_table)
    stack.start_worker()
    yield stack
    stack.end()


@pytest.fixture(scope="package")
def api(running: Stack) -> Api:
    """Two API processes, two versions, the second served."""
    api = running.start_api(processes=2)
    wait_for(lambda: api.http.get("/health/ready").status_code == 200, seconds=60)
    api.wait_for_end(api.run_pipeline())
    return api


class Visit:
    """What a browser said and asked for while a page was open."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self.expected: set[int] = set()
        """Statuses that the test brings about: a browser notes each as an error on its console."""

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("request", lambda request: self._asked(request.url))

    def _note(self, kind: str, text: str) -> None:
        expected = any(f"status of {status} " in text for status in self.expected)
        if kind in ("error", "warning") and not expected:
            self.complaints.append(f"{kind}: {text}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url + "/", "blob:", "data:")):
            self.elsewhere.append(url)


@pytest.fixture
def visit(api: Api) -> Iterator[Visit]:
    visit = Visit(api.url)
    yield visit
    # Violations of the content security policy are among them.
    assert visit.complaints == []
    assert visit.elsewhere == []


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(_TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, visit: Visit) -> Page:
    page = context.new_page()
    visit.watch(page)
    return page


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where screenshots go: into `docs/` for `make screenshots`, else away."""
    return ROOT / "docs" / "screenshots" if request.config.getoption("--screenshots") else tmp_path
