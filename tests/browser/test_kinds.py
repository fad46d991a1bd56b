"""Versions of each kind behind one page: it follows the served version without a reload."""

import csv
import io
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect

from shared.runtime.redis_keys import VERSION
from shared.schema.schema import Schema
from tests.browser.conftest import VisitOf
from tests.browser.test_access import PHONE, RULES
from tests.support import kinds
from tests.support.kinds import DIABETES, PENGUINS, PENGUINS_SEX
from tests.support.processes import Stack


class Served:
    """An API whose served version a test changes."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.api = stack.start_api()

    def serve(self, schema: Schema) -> str:
        version = kinds.publish(self._stack.models_dir, schema)
        self._stack.redis.client.set(VERSION, version)
        self.api.wait_for_version(version)
        return version


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    stack = Stack(tmp_path_factory.mktemp("kinds"))
    try:
        yield Served(stack)
    finally:
        stack.end()


@pytest.fixture
def page(visit_of: VisitOf, served: Served) -> Page:
    visit = visit_of(served.api, viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    # Before the first model, the page is told so.
    visit.expected |= {409, 503}
    return visit.page


def _open(page: Page, served: Served, section: str = "predict") -> None:
    page.goto(f"{served.api.url}/#{section}")
    expect(page.locator("#status")).to_contain_text("Redis")
    expect(page.locator("main")).not_to_contain_text("Loading")


def _ask(page: Page, **values: str) -> None:
    for name, text in values.items():
        page.get_by_label(name, exact=True).fill(text)
    page.get_by_role("button", name="Predict").click()


def _choose(page: Page, text: str, name: str = "rows.csv") -> None:
    file = page.locator("#csv-file")
    file.set_input_files({"name": name, "mimeType": "text/csv", "buffer": text.encode()})


def _downloaded(page: Page, separator: str = ",") -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    text = download.value.path().read_text("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=separator))


def test_before_the_first_model_it_says_so_and_the_form_comes_by_itself(
    page: Page, served: Served
) -> None:
    """The first test of this module: afterwards there is a model."""
    _open(page, served)
    expect(page.locator("#predict")).to_contain_text("There is no model yet")
    _open(page, served, "models")
    expect(page.locator("#models")).to_contain_text("There is no version yet")
    page.get_by_role("link", name="Predict", exact=True).click()
    served.serve(PENGUINS)
    expect(page.get_by_label("bill_length_mm", exact=True)).to_be_visible()


def test_of_several_classes_each_has_a_bar(page: Page, served: Served) -> None:
    version = served.serve(PENGUINS)
    _open(page, served)
    _ask(page, bill_length_mm="45", bill_depth_mm="14")
    record = {"bill_length_mm": 45, "bill_depth_mm": 14}
    expected = served.api.http.post("/predict", json=[record]).json()
    ranked = sorted(
        zip(expected["probabilities"][0], expected["classes"], strict=True), reverse=True
    )
    answer = page.locator(".answer")
    expect(answer.locator(".verdict")).to_have_text(f"species: {expected['predictions'][0]}")
    expect(answer.get_by_role("link")).to_have_text(version)
    expect(answer.locator(".bar-label")).to_have_text(
        [f"{label}{100 * chance:.1f} %" for chance, label in ranked]
    )
    meters = [meter.get_attribute("value") for meter in answer.get_by_role("meter").all()]
    assert [float(str(value)) for value in meters] == [chance for chance, _ in ranked]


def test_a_file_gets_the_label_by_its_name_and_its_probability(page: Page, served: Served) -> None:
    served.serve(PENGUINS)
    _open(page, served)
    _choose(page, "id,bill_length_mm,bill_depth_mm\n1,39,18\n2,47,14\n3,50,19\n4,x,1\n")
    card = page.locator(".card", has=page.locator("#csv-file"))
    expect(card).to_contain_text("3 of 4 rows predicted: 2 × species = Chinstrap, 1 × Adelie")
    back = _downloaded(page)
    records = [{"bill_length_mm": a, "bill_depth_mm": b} for a, b in [(39, 18), (47, 14), (50, 19)]]
    expected = served.api.http.post("/predict", json=records).json()
    assert [row["prediction"] for row in back] == [*expected["predictions"], ""]
    assert [float(row["probability"]) for row in back[:3]] == list(
        map(max, expected["probabilities"])
    )


def test_of_two_labels_the_positive_one_has_the_bar(page: Page, served: Served) -> None:
    served.serve(PENGUINS_SEX)
    _open(page, served)
    _ask(page, bill_length_mm="50")
    answer = page.locator(".answer")
    expect(answer.locator(".verdict")).to_have_text("sex: male")
    expect(answer.locator(".bar-label")).to_contain_text("Probability that sex is female")
    found = served.api.http.post("/predict", json=[{"bill_length_mm": 50}]).json()
    expect(answer.locator(".bar-label")).to_contain_text(f"{100 * found['probabilities'][0]:.1f} %")
    _choose(page, "bill_length_mm\n50\n20\n")
    card = page.locator(".card", has=page.locator("#csv-file"))
    expect(card).to_contain_text("2 of 2 rows predicted: 1 × sex = female, 1 × male")
    assert float(_downloaded(page)[0]["probability"]) == found["probabilities"][0]


def test_a_regression_is_a_number(page: Page, served: Served) -> None:
    served.serve(DIABETES)
    _open(page, served)
    _ask(page, bmi="32.5", age="")
    answer = page.locator(".answer")
    expect(answer.locator(".verdict")).to_have_text("progression: 163.5")
    expect(answer.get_by_role("meter")).to_have_count(0)
    # An earlier probability is a column like any other here.
    _choose(page, "bmi;probability;prediction\n32,5;a;7\n20;b;7\n")
    card = page.locator(".card", has=page.locator("#csv-file"))
    expect(card).to_contain_text("progression is 132.25 on average, 101 to 163.5")
    back = _downloaded(page, ";")
    assert [(row["prediction"], row["probability"]) for row in back] == [
        ("163,5", "a"),
        ("101", "b"),
    ]


def test_another_schema_is_drawn_without_a_reload_and_what_was_typed_stays(
    page: Page, served: Served
) -> None:
    served.serve(PENGUINS)
    _open(page, served)
    page.get_by_label("bill_length_mm", exact=True).fill("45")
    page.get_by_label("island", exact=True).select_option("Dream")
    served.serve(PENGUINS_SEX)
    answer = page.locator(".answer")
    expect(answer).to_contain_text("It predicts sex.")
    expect(page.get_by_label("bill_length_mm", exact=True)).to_have_value("45")
    expect(page.get_by_label("island", exact=True)).to_have_value("Dream")
    _ask(page)
    expect(answer.locator(".verdict")).to_have_text("sex: male")
    served.serve(DIABETES)
    expect(page.locator(".fields label")).to_have_text(["bmi", "age"])


def test_a_version_of_the_same_schema_leaves_the_form_alone(page: Page, served: Served) -> None:
    served.serve(PENGUINS)
    _open(page, served)
    _ask(page, bill_length_mm="45")
    verdict = page.locator(".answer .verdict")
    expect(verdict).to_have_text("species: Gentoo")
    version = served.serve(PENGUINS)
    expect(page.locator("#status")).to_contain_text(version)
    expect(verdict).to_have_text("species: Gentoo")


def test_a_file_ends_where_a_version_of_another_schema_begins(page: Page, served: Served) -> None:
    """What was predicted until then is there, and no row has a value of another meaning."""
    before = served.serve(PENGUINS)
    _open(page, served)
    asked: list[int] = []

    def swap_at_the_second_piece(route: Route) -> None:
        asked.append(len(asked))
        if len(asked) == 2:
            served.serve(PENGUINS_SEX)
        route.continue_()

    page.route("**/predict", swap_at_the_second_piece)
    _choose(page, "bill_length_mm\n" + "45\n" * 1500)
    card = page.locator(".card", has=page.locator("#csv-file"))
    expect(card).to_contain_text("the served version now takes other records or predicts something")
    expect(card).to_contain_text("1,000 of 1,500 rows predicted")
    expect(page.get_by_role("button", name="Go on")).to_have_count(0)
    expect(page.locator(".answer")).to_contain_text("It predicts sex.")
    back = _downloaded(page)
    assert {row["model_version"] for row in back} == {before, ""}
    assert {row["prediction"] for row in back} == {"Gentoo", ""}
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize(
    ("schema", "metrics", "plots"),
    [
        (PENGUINS, ["ROC AUC", "Accuracy", "Balanced accuracy", "Macro F1", "Log loss"], 2),
        (DIABETES, ["R²", "RMSE", "MAE"], 2),
    ],
    ids=["multiclass", "regression"],
)
def test_versions_have_their_own_metrics_and_plots(
    page: Page, served: Served, schema: Schema, metrics: list[str], plots: int
) -> None:
    other = served.serve(schema)
    version = served.serve(schema)
    _open(page, served, f"models/{version}")
    table = page.get_by_role("region", name="Every version")
    heads = table.get_by_role("columnheader").all_inner_texts()
    first = heads.index(next(head for head in heads if head.startswith(metrics[0])))
    shown = [head.split("\n")[0] for head in heads[first : first + len(metrics)]]
    assert shown == metrics
    compared = [head for head in heads if "the gate compares by it" in head]
    name = {"multiclass": "Balanced accuracy", "regression": "R²"}[schema.kind]
    assert [head.split("\n")[0] for head in compared] == [name]
    expect(page.get_by_text(f"{name} over the versions")).to_be_visible()
    expect(page.locator("figure img")).to_have_count(plots)
    expect(page.locator(".facts")).to_contain_text(schema.target)
    page.get_by_label("Compare with").select_option(other)
    against = page.get_by_role("region", name=f"{version} against {other}")
    expect(against.get_by_role("row", name=metrics[-1])).to_contain_text("lower is better")


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("section", ["predict", "models"])
@pytest.mark.parametrize("schema", [PENGUINS, DIABETES], ids=["multiclass", "regression"])
def test_axe_finds_nothing_and_a_phone_scrolls_one_way(
    page: Page, served: Served, schema: Schema, section: str, scheme: str
) -> None:
    served.serve(schema)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    _open(page, served, section)
    if section == "predict":
        first = schema.features[0].name
        _ask(page, **{first: "40"})
        expect(page.locator(".answer .verdict")).to_be_visible()
        _choose(page, f"{first}\n40\nold\n")
        expect(page.get_by_text("1 of 2 rows predicted")).to_be_visible()
    else:
        expect(page.locator("figure img").first).to_be_attached()
    results = Axe().run(page, options=RULES)
    assert results.violations_count == 0, results.generate_report()
    page.set_viewport_size({"width": PHONE, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_a_choice_that_clients_notice_is_asked_about(page: Page, served: Served) -> None:
    """The API refuses it without `allow_schema_change`; the page asks, and then says so."""
    other = served.serve(PENGUINS)
    serving = served.serve(DIABETES)
    _open(page, served, f"models/{other}")
    bodies: list[object] = []

    def refuse(route: Route) -> None:
        body = dict(route.request.post_data_json or {})
        bodies.append(body)
        if body.get("allow_schema_change"):
            served_now = served.serve(PENGUINS)
            route.fulfill(json={"model_version": served_now})
        else:
            detail = (
                f"{other} takes other records than {serving}: bill_length_mm is required; "
                'to serve it, send "allow_schema_change": true'
            )
            route.fulfill(status=409, json={"detail": detail})

    page.route("**/models/current", refuse)
    dialog = page.get_by_role("dialog")
    for answer in ("Leave it as it is", "Serve it nevertheless"):
        page.get_by_role("button", name="Serve this version").click()
        dialog.get_by_role("button", name="Serve it").click()
        expect(dialog).to_contain_text(f"{other} takes other records than {serving}: bill")
        expect(dialog).not_to_contain_text("allow_schema_change")
        dialog.get_by_role("button", name=answer).click()
        expect(dialog).to_be_hidden()
    expect(page.locator("#status")).not_to_contain_text(serving)
    chosen = {"model_version": other}
    assert bodies == [chosen, chosen, chosen | {"allow_schema_change": True}]
    page.unroute_all(behavior="ignoreErrors")
