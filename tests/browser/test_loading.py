"""What the page shows before it has what it needs, and when it does not get it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import VisitOf
from tests.browser.held_back import HeldBack
from tests.browser.visit import Visit
from tests.support.processes import Api

_MADE_FROM_OPENAPI = {"predict": "form[aria-label='One record']", "train": "#force"}
_OPENAPI = "**/openapi.json"


@pytest.mark.parametrize("section", _MADE_FROM_OPENAPI)
def test_the_frame_is_there_before_the_openapi_document(page: Page, api: Api, section: str) -> None:
    document = HeldBack(page, _OPENAPI)
    page.goto(f"{api.url}/#{section}")
    shown = page.locator(f"section#{section}")
    expect(page.get_by_role("heading", name=section.capitalize(), level=1)).to_be_visible()
    expect(shown.get_by_role("status")).to_have_text("Loading …")
    expect(page.get_by_role("link", name=section.capitalize())).to_have_attribute(
        "aria-current", "page"
    )
    # The status line does not wait for it either.
    expect(page.locator("#status")).to_contain_text("Redis")
    document.wait()
    expect(page.locator(_MADE_FROM_OPENAPI[section])).to_have_count(0)
    document.release()
    expect(page.locator(_MADE_FROM_OPENAPI[section])).to_be_visible()
    expect(page.get_by_text("Loading")).to_have_count(0)


def test_the_frame_is_there_before_the_scripts(page: Page, api: Api) -> None:
    script = HeldBack(page, "**/page/main.js")
    page.goto(api.url, wait_until="commit")
    expect(page.get_by_role("navigation").get_by_role("link")).to_have_text(
        ["Predict", "Train", "Models"]
    )
    expect(page.get_by_role("main")).to_have_text("Loading …")
    script.release()
    expect(page.locator(_MADE_FROM_OPENAPI["predict"])).to_be_visible()
    expect(page.get_by_text("Loading")).to_have_count(0)


@pytest.mark.parametrize(
    ("path", "part", "words"),
    [
        ("/", "**/page/times.js", "The page did not load"),
        ("/docs", "**/swagger-ui-bundle.js", "The list of calls did not load"),
    ],
)
def test_a_part_that_does_not_arrive_is_said(
    page: Page, api: Api, visit: Visit, path: str, part: str, words: str
) -> None:
    visit.may_lose_the_server = True
    page.route(part, lambda route: route.abort())
    page.goto(f"{api.url}{path}")
    expect(page.get_by_text(words)).to_be_visible()
    page.unroute(part)
    page.reload()
    expect(page.get_by_text(words)).to_have_count(0)
    expect(page.get_by_text("Loading")).to_have_count(0)


@pytest.mark.parametrize("section", _MADE_FROM_OPENAPI)
@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, "Internal Server Error", "status 500"),
        (200, '{"openapi": "3.1', "the answer of GET /openapi.json is not JSON"),
    ],
)
def test_without_the_openapi_document_it_says_so_and_tries_again(
    page: Page, api: Api, visit: Visit, section: str, status: int, body: str, why: str
) -> None:
    visit.expected.add(500)
    page.route(_OPENAPI, lambda route: route.fulfill(status=status, body=body))
    page.goto(f"{api.url}/#{section}")
    expect(page.get_by_role("alert")).to_have_text(
        f"{section.capitalize()} cannot be shown, because /openapi.json did not load ({why}). "
        "Check that the server runs and what its log says, then try again."
    )
    again = page.get_by_role("button", name="Try again")
    # It fails once more, and then no longer.
    with page.expect_response(_OPENAPI):
        again.click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.unroute(_OPENAPI)
    again.click()
    expect(page.locator(_MADE_FROM_OPENAPI[section])).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("section", "call", "shown"),
    [("models", "**/models", ".facts"), ("train", "**/jobs?limit=20", "td")],
)
def test_a_section_comes_back_with_the_server(
    page: Page, api: Api, visit: Visit, section: str, call: str, shown: str
) -> None:
    visit.may_lose_the_server = True
    page.goto(f"{api.url}/#{section}")
    expect(page.locator(f"section#{section} {shown}").first).to_be_visible()
    page.route(call, lambda route: route.abort())
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("the server does not answer")
    page.unroute(call)
    expect(alert).to_have_count(0)
    expect(page.locator(f"section#{section} {shown}").first).to_be_visible()


def test_a_section_that_was_left_while_it_loaded_is_there_when_one_comes_back(
    page: Page, api: Api
) -> None:
    document = HeldBack(page, _OPENAPI)
    page.goto(f"{api.url}/#predict")
    expect(page.get_by_role("main")).to_contain_text("Loading …")
    page.get_by_role("link", name="Models").click()
    expect(page.locator(".facts")).to_be_visible()
    page.get_by_role("link", name="Predict").click()
    expect(page.get_by_role("main")).to_contain_text("Loading …")
    document.release()
    page.get_by_label("Age", exact=True).fill("44")
    page.get_by_role("link", name="Models").click()
    expect(page.locator(".facts")).to_be_visible()
    page.get_by_role("link", name="Predict").click()
    expect(page.get_by_label("Age", exact=True)).to_have_value("44")


def test_without_javascript_it_says_what_is_needed(visit_of: VisitOf, api: Api) -> None:
    page = visit_of(api, java_script_enabled=False).page
    page.goto(api.url)
    expect(page.locator("noscript")).to_be_visible()
    expect(page.get_by_text("Loading")).to_be_hidden()
