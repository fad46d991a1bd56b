"""The pictures of the README: of versions that were trained on more and more of the table."""

import csv
import random
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import VisitOf, wait_for_first_version
from tests.support.processes import RUN_SECONDS, Api, Stack
from tests.support.versions import TRAINING_DATA

pytestmark = pytest.mark.thorough

_TABLE = "examples/titanic/data.csv"
_LARGEST_BYTES = 400_000
_PHONE = {"width": 390, "height": 844}


def _write_table(path: Path, rows: int, *, wrong: int = 0) -> None:
    """So many rows of the table, some of them with the wrong label."""
    with open(TRAINING_DATA, newline="") as source:
        header, *body = list(csv.reader(source))
    body = random.Random(7).sample(body, rows)
    for row in body[:wrong]:
        row[header.index("Survived")] = str(1 - int(row[header.index("Survived")]))
    with path.open("w", newline="") as target:
        csv.writer(target).writerows([header, *body])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Api:
    folder = tmp_path_factory.mktemp("pictures")
    table = folder / _TABLE
    table.parent.mkdir(parents=True)
    _write_table(table, 250)
    stack = Stack(folder, training_data=_TABLE)
    request.addfinalizer(stack.end)
    stack.start_worker()
    api = stack.start_api(processes=2)
    wait_for_first_version(api)
    for rows, wrong in [(400, 0), (550, 0), (700, 150), (700, 0), (891, 0)]:
        _write_table(table, rows, wrong=wrong)
        asked = api.http.put("/run-pipeline", headers={"X-Requested-By": "nightly"})
        api.wait_for_end(asked.raise_for_status().json()["job_id"])
    return api


def _predict(page: Page) -> None:
    for name, text in {"Age": "38", "Pclass": "1", "SibSp": "1", "Fare": "71.28"}.items():
        page.get_by_label(name, exact=True).fill(text)
    page.get_by_label("Sex", exact=True).select_option("female")
    page.get_by_label("Embarked", exact=True).select_option("C")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".answer meter")).to_be_visible()


def _train(page: Page) -> None:
    page.get_by_role("button", name="Start a run").click()
    expect(page.locator(".outcome table")).to_be_visible(timeout=1000 * RUN_SECONDS)
    expect(page.get_by_role("cell", name="nightly").first).to_be_visible()


def _models(page: Page) -> None:
    expect(page.locator("figure img").first).to_be_attached()
    page.evaluate(
        """() => Promise.all([...document.images].map((image) => {
            image.loading = "eager";
            return image.decode();
        }))"""
    )


@pytest.mark.parametrize(
    ("name", "dark", "size"),
    [
        ("predict", False, {"width": 1280, "height": 900}),
        ("train", False, {"width": 1280, "height": 1480}),
        ("models", False, {"width": 1280, "height": 1560}),
        ("models-dark", True, {"width": 1280, "height": 1560}),
        ("phone", True, _PHONE),
    ],
)
def test_a_picture_is_taken(
    visit_of: VisitOf, trained: Api, pictures: Path, name: str, dark: bool, size: dict[str, int]
) -> None:
    section = {"phone": "predict"}.get(name, name.partition("-")[0])
    scheme = "dark" if dark else "light"
    visit = visit_of(trained, viewport=size, color_scheme=scheme, reduced_motion="reduce")
    page = visit.page
    page.goto(f"{trained.url}/#{section}")
    expect(page.locator("#status")).to_contain_text("Redis")
    {"predict": _predict, "train": _train, "models": _models}[section](page)
    page.mouse.move(0, 0)
    page.evaluate(f"window.scrollTo(0, {500 if size == _PHONE else 0})")
    pictures.mkdir(exist_ok=True)
    taken = page.screenshot(path=pictures / f"{name}.png")
    assert len(taken) < _LARGEST_BYTES
