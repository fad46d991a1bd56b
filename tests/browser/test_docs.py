"""Swagger UI at /docs: the calls listed and tried, without any other host."""

import json

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import VisitOf
from tests.browser.held_back import HeldBack
from tests.support.processes import Api


def _operation(page: Page, method: str, path: str) -> Locator:
    summary = page.locator(f".opblock-summary-path[data-path='{path}']")
    return page.locator(f".opblock-{method}", has=summary)


def _try(operation: Locator) -> None:
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()


def _answer(operation: Locator) -> Locator:
    return operation.locator(".live-responses-table .response")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_call_is_listed(visit_of: VisitOf, api: Api, scheme: str) -> None:
    page = visit_of(api, color_scheme=scheme).page
    page.goto(f"{api.url}/docs")
    documented = api.http.get("/openapi.json").json()["paths"]
    calls = [(method, path) for path, methods in documented.items() for method in methods]
    expect(page.locator(".opblock")).to_have_count(len(calls))
    for method, path in calls:
        expect(_operation(page, method, path)).to_be_visible()
    page.get_by_role("link", name="Lifeboat").click()
    expect(page).to_have_title("Predict · Lifeboat")


def test_a_prediction_is_tried(page: Page, api: Api) -> None:
    page.goto(f"{api.url}/docs")
    predict = _operation(page, "post", "/predict")
    _try(predict)
    expect(_answer(predict).locator(".response-col_status")).to_contain_text("200")
    example = json.loads(predict.locator("textarea").input_value())
    expected = api.predict(*example).json()
    shown = json.loads(_answer(predict).locator("pre.microlight").first.inner_text())
    assert shown == expected


def test_readiness_is_tried(page: Page, api: Api) -> None:
    page.goto(f"{api.url}/docs")
    ready = _operation(page, "get", "/health/ready")
    _try(ready)
    expect(_answer(ready).locator(".response-col_status")).to_contain_text("200")
    expect(_answer(ready)).to_contain_text('"redis": "up"')


def test_it_says_that_it_is_loading(page: Page, api: Api) -> None:
    bundle = HeldBack(page, "**/swagger-ui-bundle.js")
    page.goto(f"{api.url}/docs", wait_until="commit")
    expect(page.get_by_role("status")).to_have_text("Loading the list of calls …")
    bundle.release()
    expect(_operation(page, "post", "/predict")).to_be_visible()
    expect(page.get_by_text("Loading the list")).to_have_count(0)
