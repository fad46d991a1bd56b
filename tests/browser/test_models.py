"""The section Models: versions compared, and another one chosen."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.browser.conftest import VisitOf
from tests.support.choices import nothing_can_be_noted
from tests.support.processes import RUN_SECONDS, Api, Stack, wait_for
from tests.support.versions import PLOTS


def _versions(api: Api) -> list[str]:
    return [each["model_version"] for each in api.http.get("/models").json()["versions"]]


def _serving(api: Api) -> str:
    return wait_for(api.version_everywhere, why="the processes serve different versions")


def _open(page: Page, api: Api, version: str = "") -> None:
    page.goto(f"{api.url}/#models/{version}" if version else f"{api.url}/#models")
    expect(page.get_by_role("heading", name="Models", level=1)).to_be_visible()


def test_every_version_is_there_newest_first_with_its_metrics(page: Page, api: Api) -> None:
    _open(page, api)
    table = page.get_by_role("region", name="Every version")
    expect(table.get_by_role("rowheader").get_by_role("link")).to_have_text(_versions(api))
    listed = api.http.get("/models").json()
    score = listed["versions"][0]["metrics"]["roc_auc"]
    expect(table.locator("tbody tr").first).to_contain_text(
        f"{score['mean']:.4f} ± {score['std']:.4f}"
    )
    expect(table.locator("tbody tr", has_text="served")).to_contain_text(listed["serving"])
    # The drawing has a point for each.
    expect(page.locator("svg.trend circle")).to_have_count(len(listed["versions"]))


def test_a_version_shows_its_plots(page: Page, api: Api) -> None:
    _open(page, api, _versions(api)[-1])
    images = page.locator("figure img")
    expect(images).to_have_count(len(PLOTS))
    for image in images.all():
        image.scroll_into_view_if_needed()
        assert image.get_attribute("alt")
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")


def test_two_versions_stand_side_by_side(page: Page, api: Api) -> None:
    newest, other = _versions(api)[:2]
    _open(page, api, newest)
    page.get_by_label("Compare with").select_option(other)
    against = page.get_by_role("region", name=f"{newest} against {other}")
    expect(against.get_by_role("row", name="Brier score")).to_contain_text("the same")
    expect(against.get_by_role("columnheader")).to_have_text(
        ["Metric", newest, other, "Difference"]
    )
    expect(page.locator("figure")).to_have_count(2 * len(PLOTS))


def test_another_version_is_served_after_a_confirmation_by_every_process(
    page: Page, api: Api
) -> None:
    serving = _serving(api)
    other = next(version for version in _versions(api) if version != serving)
    _open(page, api, other)
    page.get_by_role("button", name="Serve this version").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Serve {other}?")
    expect(dialog).to_contain_text(f"instead of {serving}")
    dialog.get_by_role("button", name="Leave it as it is").click()
    assert api.version() == serving
    page.get_by_role("button", name="Serve this version").click()
    dialog.get_by_role("button", name="Serve it").click()
    expect(page.get_by_text("This version answers now.")).to_be_visible()
    expect(page.locator("#status")).to_contain_text(other)
    processes = page.get_by_role("region", name="Which version each API process serves")
    expect(processes.locator("tbody td")).to_have_text([other, other])
    assert api.version() == other


def test_a_choice_that_is_not_kept_is_said_to_be_and_the_next_one_is_kept(
    page: Page, running: Stack, api: Api
) -> None:
    before = _serving(api)
    other = next(version for version in _versions(api) if version != before)
    said = page.get_by_role("alert").filter(has_text="the worker has not noted it on the volume")
    with nothing_can_be_noted(running.models_dir):
        _open(page, api, other)
        page.get_by_role("button", name="Serve this version").click()
        page.get_by_role("button", name="Serve it").click()
        expect(page.get_by_text("This version answers now.")).to_be_visible()
        expect(said).to_contain_text(f"{other} is chosen")
    store = ModelStore(LocalStorage(running.models_dir))
    wait_for(lambda: store.current() == other)
    # The status names it, too, while the page has not learned of the choice.
    models = page.get_by_role("region", name="Models")
    models.get_by_role("link", name=before, exact=True).click()
    page.get_by_role("button", name="Serve this version").click()
    page.get_by_role("button", name="Serve it").click()
    expect(page.get_by_text("This version answers now.")).to_be_visible()
    expect(said).to_have_count(0)


def test_a_version_that_is_gone_is_said_to_be(page: Page, api: Api) -> None:
    _open(page, api, "20200101-000000-000000")
    expect(page.get_by_role("alert")).to_contain_text("There is no version 20200101-000000-000000")


@pytest.fixture
def guarded(running: Stack, api: Api) -> Iterator[Api]:
    """One more API over the same versions, with a key."""
    guarded = running.start_api(api_key="open-sesame")
    wait_for(lambda: guarded.http.get("/health/ready").status_code == 200)
    yield guarded
    guarded.stop()


@pytest.mark.thorough
def test_the_key_is_asked_for_where_one_is_set(visit_of: VisitOf, guarded: Api) -> None:
    visit = visit_of(guarded)
    visit.expected |= {401, 403}
    page = visit.page
    serving = _serving(guarded)
    other = next(version for version in _versions(guarded) if version != serving)
    _open(page, guarded, other)
    page.get_by_role("button", name="Serve this version").click()
    page.get_by_role("button", name="Serve it").click()
    dialog = page.get_by_role("dialog", name="API key")
    dialog.get_by_label("Key").fill("guess")
    dialog.get_by_role("button", name="Use this key").click()
    expect(dialog).to_contain_text("Not accepted")
    dialog.get_by_label("Key").fill("open-sesame")
    dialog.get_by_role("button", name="Use this key").click()
    expect(page.get_by_text("This version answers now.")).to_be_visible()
    # It is not asked for again, until it is forgotten.
    page.goto(f"{guarded.url}/#train")
    page.get_by_role("button", name="Start a run").click()
    said = page.locator(".run-head [role=status]")
    expect(said).to_have_text("succeeded", timeout=1000 * RUN_SECONDS)
    page.get_by_role("button", name="Forget the API key").click()
    page.get_by_role("button", name="Start a run").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("No run was started")).to_be_visible()
