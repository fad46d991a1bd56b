"""The page of an API that asks for its key everywhere, below a path of a proxy."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import VisitOf
from tests.browser.visit import Visit
from tests.support.processes import RUN_SECONDS, Api, Stack
from tests.support.versions import PLOTS

pytestmark = pytest.mark.thorough

_ROOT = "/tools/lifeboat"


@pytest.fixture(scope="module")
def closed(running: Stack, api: Api) -> Iterator[Api]:
    """One more API over the same versions; it answers as behind a proxy that keeps the path."""
    closed = running.start_api(
        api_key="first\nopen sesame", api_key_for="everything", root_path=_ROOT
    )
    yield closed
    closed.stop()


@pytest.fixture
def visit(visit_of: VisitOf, closed: Api) -> Iterator[Visit]:
    visit = visit_of(closed)
    visit.expected |= {401, 403}
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    yield visit
    below = (f"{closed.url}{_ROOT}/", "blob:", "data:")
    assert [url for url in asked if not url.startswith(below)] == []


@pytest.fixture
def page(visit: Visit, closed: Api) -> Page:
    visit.page.goto(f"{closed.url}{_ROOT}/")
    return visit.page


def _dialog(page: Page) -> Locator:
    return page.get_by_role("dialog", name="API key")


def _use(page: Page, key: str) -> None:
    _dialog(page).get_by_label("Key").fill(key)
    _dialog(page).get_by_role("button", name="Use this key").click()


def test_the_key_is_asked_for_once_and_opens_everything(page: Page) -> None:
    page.get_by_label("Sex", exact=True).select_option("female")
    page.get_by_role("button", name="Predict").click()
    _use(page, "guess")
    expect(_dialog(page)).to_contain_text("Not accepted")
    _use(page, "open sesame")
    expect(page.locator(".answer meter")).to_be_visible()
    page.get_by_role("link", name="Models").click()
    images = page.locator("figure img")
    expect(images).to_have_count(len(PLOTS))
    for image in images.all():
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    page.get_by_role("link", name="Train").click()
    page.get_by_role("button", name="Start a run").click()
    said = page.locator(".run-head [role=status]")
    expect(said).to_have_text("succeeded", timeout=1000 * RUN_SECONDS)
    expect(page.locator(".outcome table")).to_be_visible()


def test_who_has_no_key_is_asked_once_and_can_give_it_later(page: Page) -> None:
    page.get_by_role("link", name="Train").click()
    _dialog(page).get_by_role("button", name="Cancel").click()
    reason = page.get_by_text("No run can be started or shown now: this call needs the API key")
    expect(reason).to_be_visible()
    # The page looks again, and does not ask again.
    for _ in range(2):
        page.wait_for_event("response", lambda response: "/jobs?limit" in response.url)
    expect(_dialog(page)).to_be_hidden()
    page.get_by_role("button", name="Enter the API key").click()
    _use(page, "open sesame")
    expect(page.get_by_role("button", name="Start a run")).to_be_enabled()
    expect(reason).to_have_count(0)
    expect(page.get_by_role("button", name="Enter the API key")).to_be_hidden()


def test_a_key_that_ends_in_the_middle_of_a_file_is_asked_for(page: Page) -> None:
    asked: list[Route] = []

    def end_the_key(route: Route) -> None:
        asked.append(route)
        # The first request comes without a key.
        headers = route.request.headers | ({"x-api-key": "old"} if len(asked) == 3 else {})
        route.continue_(headers=headers)

    page.route("**/predict", end_the_key)
    rows = "Sex\n" + "male\n" * 3000
    page.locator("#csv-file").set_input_files(
        {"name": "rows.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    )
    _use(page, "open sesame")
    expect(_dialog(page)).to_contain_text("Not accepted")
    _use(page, "first")
    expect(page.get_by_text("3,000 of 3,000 rows predicted")).to_be_visible()
    assert len(asked) == 5


def test_swagger_ui_asks_below_the_path(page: Page, closed: Api) -> None:
    page.get_by_role("link", name="All calls").click()
    operation = page.locator(
        ".opblock-get",
        has=page.locator(".opblock-summary-path[data-path='/health/ready']"),
    )
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    expect(answer.locator(".response-col_status")).to_contain_text("200")
