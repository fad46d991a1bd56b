"""The page can be used by everybody, on any screen, and by keyboard."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.processes import ROOT, RUN_SECONDS, Api

_SECTIONS = ["predict", "train", "models"]
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    }
}
PHONE = 390


def _open(page: Page, api: Api, section: str) -> None:
    page.goto(f"{api.url}/#{section}")
    expect(page.get_by_role("heading", name=section.capitalize(), level=1)).to_be_visible()
    expect(page.locator("#status")).to_contain_text("Redis")
    expect(page.locator("#build")).to_contain_text("revision unknown")
    expect(page.locator("main")).not_to_contain_text("Loading")
    shown = {"predict": ".fields select", "train": "td", "models": ".facts"}
    expect(page.locator(f"main {shown[section]}").first).to_be_attached()


def _fill(page: Page, section: str) -> None:
    """As much as a section can show."""
    if section == "predict":
        page.get_by_label("Sex", exact=True).select_option("female")
        page.get_by_role("button", name="Predict").click()
        rows = "\n".join(["Sex,Age,Name", "male,20,A", "male,old,B"])
        page.locator("#csv-file").set_input_files(
            {"name": "rows.csv", "mimeType": "text/csv", "buffer": rows.encode()}
        )
        expect(page.get_by_text("1 of 2 rows predicted")).to_be_visible()
        expect(page.locator(".answer meter")).to_be_visible()
    if section == "train":
        page.get_by_role("button", name="Start a run").click()
        expect(page.locator(".outcome table")).to_be_visible(timeout=1000 * RUN_SECONDS)
    if section == "models":
        page.get_by_label("Compare with").select_option(index=1)
        expect(page.locator(".difference").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("section", _SECTIONS)
def test_axe_finds_nothing(page: Page, api: Api, section: str, scheme: str) -> None:
    page.emulate_media(
        color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce"
    )
    _open(page, api, section)
    _fill(page, section)
    results = Axe().run(page, options=RULES)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("section", _SECTIONS)
def test_a_phone_scrolls_in_one_direction_only(page: Page, api: Api, section: str) -> None:
    page.set_viewport_size({"width": PHONE, "height": 844})
    _open(page, api, section)
    _fill(page, section)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_everything_is_reached_by_keyboard_and_its_focus_seen(page: Page, api: Api) -> None:
    _open(page, api, "predict")
    controls = page.locator("a, button, input, select").filter(visible=True).count()
    page.locator("body").press("Tab")
    reached = set()
    for _ in range(2 * controls):
        seen = page.evaluate(
            """() => {
                const at = document.activeElement;
                const style = getComputedStyle(at);
                const name = at.tagName + at.id + at.textContent;
                return [name, style.outlineStyle, at === document.body];
            }"""
        )
        if not seen[2]:
            assert seen[1] != "none", f"{seen[0]} shows no focus"
            reached.add(seen[0])
        page.keyboard.press("Tab")
    assert len(reached) >= controls


def test_a_prediction_needs_the_keyboard_alone(page: Page, api: Api) -> None:
    _open(page, api, "predict")
    page.get_by_label("Age", exact=True).focus()
    page.keyboard.type("30")
    page.keyboard.press("Tab")
    page.keyboard.type("female")
    page.get_by_label("Fare", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_contain_text("Survived")
    page.keyboard.press("Escape")


def test_sections_have_addresses_and_a_title(page: Page, api: Api) -> None:
    _open(page, api, "predict")
    page.get_by_label("Age", exact=True).fill("44")
    page.get_by_role("link", name="Train").click()
    expect(page).to_have_title("Train · Lifeboat")
    expect(page.get_by_role("link", name="Train")).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page).to_have_title("Predict · Lifeboat")
    # What was typed is still there.
    expect(page.get_by_label("Age", exact=True)).to_have_value("44")


def test_no_module_parses_html() -> None:
    for module in sorted((ROOT / "api" / "page").glob("*.js")):
        found = re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", module.read_text()
        )
        assert not found, module.name
