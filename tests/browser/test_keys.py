"""The page in front of an API that asks for a key for everything, below a path of a proxy's."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import VisitOf
from tests.support.processes import RUN_SECONDS, Api, Stack, wait_for
from tests.support.versions import PLOTS

KEY = "open, sesame"


@pytest.fixture
def closed(running: Stack, api: Api) -> Iterator[Api]:
    """One more API over the same versions."""
    closed = running.start_api(
        api_key=f"another key\n{KEY}", api_key_for="everything", root_path="/tools/lifeboat"
    )
    wait_for(lambda: closed.http.get("/health/ready").status_code == 200)
    assert closed.http.get("/models").status_code == 401
    yield closed
    closed.stop()


def test_with_one_key_the_whole_page_works(visit_of: VisitOf, closed: Api) -> None:
    visit = visit_of(closed)
    visit.expected |= {401}
    page = visit.page
    page.goto(f"{closed.url}/tools/lifeboat/#models")
    dialog = page.get_by_role("dialog", name="API key")
    dialog.get_by_label("Key").fill(KEY)
    dialog.get_by_role("button", name="Use this key").click()
    versions = page.get_by_role("region", name="Every version").get_by_role("rowheader")
    versions.get_by_role("link").first.click()
    images = page.locator("figure img")
    expect(images).to_have_count(len(PLOTS))
    for image in images.all():
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    page.get_by_role("link", name="Predict", exact=True).click()
    page.get_by_label("Sex").select_option("female")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_text("Answered by")).to_be_visible()
    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_role("button", name="Start a run").click()
    said = page.locator(".run-head [role=status]")
    expect(said).to_have_text("succeeded", timeout=1000 * RUN_SECONDS)
