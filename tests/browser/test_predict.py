"""The section Predict: one record, and a file of them."""

import csv
import io
from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import VisitOf
from tests.support.processes import Api, Stack

_ALL = {"Age": "38", "Pclass": "1", "SibSp": "1", "Parch": "0", "Fare": "71.28"}


def _open(page: Page, api: Api) -> None:
    page.goto(f"{api.url}/")
    expect(page.get_by_role("heading", name="Predict", level=1)).to_be_visible()


def _file(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="") as target:
        csv.writer(target).writerows(rows)
    return path


def _downloaded(page: Page) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    return list(csv.DictReader(io.StringIO(download.value.path().read_text())))


def test_one_record_is_answered_as_the_api_answers(page: Page, api: Api) -> None:
    _open(page, api)
    for name, text in _ALL.items():
        page.get_by_label(name, exact=True).fill(text)
    page.get_by_label("Sex", exact=True).select_option("female")
    page.get_by_label("Embarked", exact=True).select_option("C")
    page.get_by_role("button", name="Predict").click()
    record: dict[str, object] = {name: float(text) for name, text in _ALL.items()}
    record |= {"Sex": "female", "Embarked": "C"}
    whole = ("Pclass", "SibSp", "Parch")
    expected = api.predict(record | {name: int(_ALL[name]) for name in whole}).json()
    answer = page.locator(".answer")
    expect(answer).to_contain_text("Survived: 1")
    expect(answer).to_contain_text("Probability that Survived is 1")
    expect(answer).to_contain_text(f"{100 * expected['probabilities'][0]:.1f} %")
    expect(answer.get_by_role("link")).to_have_text(expected["model_version"])
    meter = answer.get_by_role("meter")
    expect(meter).to_be_visible()
    assert float(str(meter.get_attribute("value"))) == expected["probabilities"][0]


def test_the_form_has_what_the_schema_has(page: Page, api: Api) -> None:
    _open(page, api)
    schema = api.http.get("/openapi.json").json()
    body = schema["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    names = list(body["schema"]["items"]["properties"])
    expect(page.locator(".fields label")).to_have_text(names)


def test_the_form_is_there_for_any_kind_of_field(page: Page, api: Api) -> None:
    document = api.http.get("/openapi.json").json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    optional = [{"type": "null"}]
    body["schema"]["items"] = {
        "properties": {
            "amount": {"type": "number", "minimum": 0, "description": "Euro. Required."},
            "tax": {"anyOf": [{"type": "number", "exclusiveMaximum": 1}, *optional]},
            "fixed acidity": {"anyOf": [{"type": "number"}, *optional]},
            "smoker": {"anyOf": [{"type": "string", "enum": ["True", "False"]}, *optional]},
            "only": {"anyOf": [{"type": "string", "const": "this"}, *optional]},
            "town": {"type": "string", "enum": [f"Town {at}" for at in range(300)]},
        },
        "required": ["amount"],
    }
    page.route("**/openapi.json", lambda route: route.fulfill(json=document))
    _open(page, api)
    described = {
        name: page.get_by_label(name, exact=True) for name in body["schema"]["items"]["properties"]
    }
    expect(described["amount"]).to_have_accessible_description("Euro. Required. At least 0")
    expect(described["tax"]).to_have_accessible_description("Less than 1")
    expect(described["only"].locator("option")).to_have_text(["Not known", "this"])
    expect(described["town"].locator("option")).to_have_count(301)
    described["tax"].fill("1")
    described["fixed acidity"].fill("1e999")
    described["smoker"].select_option("False")
    page.get_by_role("button", name="Predict").click()
    expect(described["amount"]).to_have_accessible_description(
        "Euro. Required. At least 0 this field is required"
    )
    expect(described["tax"]).to_have_accessible_description(
        "Less than 1 expected less than 1, got “1”"
    )
    expect(described["fixed acidity"]).to_have_accessible_description(
        "expected a number up to 3.4e38, got “1e999”"
    )


def test_what_is_wrong_is_said_at_its_field(page: Page, api: Api) -> None:
    _open(page, api)
    page.get_by_label("Age", exact=True).fill("a lot")
    page.get_by_role("button", name="Predict").click()
    age = page.get_by_label("Age", exact=True)
    expect(age).to_have_accessible_description(
        "Years, may be fractional. 0 to 120 expected a number, got “a lot”"
    )
    expect(age).to_be_focused()
    age.fill("121")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#error-Age")).to_contain_text("120")
    expect(page.locator("#error-Sex")).not_to_be_empty()
    expect(page.get_by_label("Sex", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".answer")).to_contain_text("see the fields")


def test_a_file_comes_back_whole_with_what_was_predicted(
    page: Page, api: Api, tmp_path: Path
) -> None:
    """As long as three requests, with columns of others, quotes, and a name that is markup."""
    header = ["PassengerId", "Name", "Sex", "Age", "Embarked"]
    hostile = '<img src=x onerror="document.title=1">, "quoted"\nin two lines'
    rows = [[str(at), hostile, ("male", "female")[at % 2], str(at % 80), "S"] for at in range(2500)]
    rows[7][3] = ""
    _open(page, api)
    page.locator("#csv-file").set_input_files(_file(tmp_path / "test.csv", [header, *rows]))
    card = page.locator(".card", has=page.locator("#csv-file"))
    expect(card).to_contain_text("2,500 of 2,500 rows predicted")
    expect(card).to_contain_text("does not use: PassengerId, Name.")
    expect(card).to_contain_text("count as not known: Pclass, SibSp, Parch, Fare.")
    # The name is shown as it is, and is no element.
    expect(card.get_by_role("cell", name="<img").first).to_be_visible()
    expect(page.locator("td img")).to_have_count(0)
    expect(card.locator("tbody tr")).to_have_count(100)
    back = _downloaded(page)
    assert [[row[name] for name in header] for row in back] == rows
    asked: list[dict[str, object]] = [
        {"Sex": row[2], "Embarked": row[4]} | ({"Age": int(row[3])} if row[3] else {})
        for row in rows
    ]
    expected = api.predict(*asked).json()
    assert [int(row["prediction"]) for row in back] == expected["predictions"]
    assert [float(row["probability"]) for row in back] == expected["probabilities"]
    assert {row["model_version"] for row in back} == {expected["model_version"]}


def test_a_file_of_excel_keeps_its_letters(page: Page, api: Api, tmp_path: Path) -> None:
    """Excel writes 'CSV' as Windows-1252, and takes UTF-8 without a byte order mark for that."""
    text = "Name,Sex\r\nMüller,male\r\n"
    card = page.locator(".card", has=page.locator("#csv-file"))
    _open(page, api)
    for encoding, words in [("cp1252", "read as Windows-1252"), ("utf-8-sig", "1 of 1 rows")]:
        (tmp_path / f"{encoding}.csv").write_bytes(text.encode(encoding))
        page.locator("#csv-file").set_input_files(tmp_path / f"{encoding}.csv")
        expect(card.get_by_role("link", name=f"Download {encoding}")).to_be_visible()
        expect(card).to_contain_text(words)
        expect(card.get_by_role("cell", name="Müller")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download").click()
        back = download.value.path().read_bytes()
        assert back.startswith("\ufeffName,Sex,prediction".encode())
        assert "\r\nMüller,male,".encode() in back


def test_a_result_can_be_predicted_again_and_stays_as_it_is(
    page: Page, api: Api, tmp_path: Path
) -> None:
    """With the separator and the decimal sign of the first file, and each column once."""
    _open(page, api)
    first = tmp_path / "people.csv"
    first.write_bytes("Name;Sex;Age;\rMüller;male;22,5;\r;;\rB;robot;1\r".encode("cp1252"))
    page.locator("#csv-file").set_input_files(first)
    card = page.locator(".card", has=page.locator("#csv-file"))
    expect(card).to_contain_text("separated by semicolons, with decimal commas")
    again = tmp_path / "people-predicted.csv"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download people-predicted.csv").click()
    download.value.save_as(again)
    answer = api.predict({"Sex": "male", "Age": 22.5}).json()
    probability = str(answer["probabilities"][0]).replace(".", ",")
    assert again.read_text("utf-8-sig").splitlines() == [
        "Name;Sex;Age;prediction;probability;model_version",
        f"Müller;male;22,5;{answer['predictions'][0]};{probability};{answer['model_version']}",
        "B;robot;1;;;",
    ]
    page.locator("#csv-file").set_input_files(again)
    expect(card).to_contain_text("are replaced: prediction, probability, model_version.")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download people-predicted.csv").click()
    assert download.value.path().read_bytes() == again.read_bytes()


def test_bad_rows_are_named_and_the_others_predicted(page: Page, api: Api, tmp_path: Path) -> None:
    rows = [
        ["Sex", "Age"],
        ["male", "30"],
        ["male", "old"],
        ["robot", "1"],
        ["", "2"],
        ["female", "200"],
        ["cat", "x"],
    ]
    _open(page, api)
    page.locator("#csv-file").set_input_files(_file(tmp_path / "bad.csv", rows))
    card = page.locator(".card", has=page.locator("#csv-file"))
    expect(card).to_contain_text("1 of 6 rows predicted")
    problems = card.locator(".problems li").all_text_contents()
    named = [problem.partition(": ")[0] for problem in problems]
    assert named == [
        *("line 3, Age", "line 4, Sex", "line 5, Sex", "line 6, Age"),
        *("line 7, Sex", "line 7, Age"),
    ]
    assert [row["prediction"] for row in _downloaded(page)][1:] == [""] * 5


def test_a_file_that_cannot_be_used_says_why(page: Page, api: Api, tmp_path: Path) -> None:
    _open(page, api)
    card = page.locator(".card", has=page.locator("#csv-file"))
    for name, text, words in [
        ("empty.csv", "", "the file is empty"),
        ("none.csv", "Age,Fare\n1,2\n", "the column Sex is missing"),
        ("twice.csv", "Sex,Sex\nmale,male\n", "the header names the column Sex twice"),
        ("open.csv", 'Sex,Name\nmale,"Jim\n', "line 2: a quotation mark is never closed"),
        ("long.csv", "Sex\nmale,1\n", "line 2: expected 1 cells as in the header, got 2"),
    ]:
        (tmp_path / name).write_text(text)
        page.locator("#csv-file").set_input_files(tmp_path / name)
        expect(card).to_contain_text(f"{name}: {words}")


def test_a_file_goes_on_after_the_api_was_restarted(
    visit_of: VisitOf, api: Api, running: Stack, tmp_path: Path
) -> None:
    """The API that comes back takes fewer rows at once; the page halves its pieces."""
    first = running.start_api()
    visit = visit_of(first)
    visit.expected.add(413)
    visit.may_lose_the_server = True
    page = visit.page
    _open(page, first)
    stopped: list[int] = []

    def stop_at_the_second_piece(route: Route) -> None:
        stopped.append(len(stopped))
        if len(stopped) == 2:
            first.stop()
        route.continue_()

    page.route("**/predict", stop_at_the_second_piece)
    rows = [["Sex", "Age"], *([("male", "female")[at % 2], str(at % 80)] for at in range(3000))]
    page.locator("#csv-file").set_input_files(_file(tmp_path / "long.csv", rows))
    card = page.locator(".card", has=page.locator("#csv-file"))
    expect(card).to_contain_text("The server does not answer. It may be restarting.")
    expect(card).to_contain_text("1,000 of 3,000")
    running.start_api(port=first.port, max_rows="400")
    expect(card).to_contain_text("3,000 of 3,000 rows predicted")
    back = _downloaded(page)
    assert [[row["Sex"], row["Age"]] for row in back] == rows[1:]
    assert all(row["prediction"] in "01" and row["model_version"] for row in back)


def test_a_file_can_be_dropped_and_its_prediction_cancelled(page: Page, api: Api) -> None:
    """What was predicted until then can be downloaded, and the rest be predicted later."""
    asked: list[Route] = []

    def hold_the_first_and_the_third(route: Route) -> None:
        asked.append(route)
        if len(asked) not in (1, 3):
            route.continue_()

    _open(page, api)
    page.route("**/predict", hold_the_first_and_the_third)
    page.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["Sex\\n" + "male\\n".repeat(1500)], "dropped.csv"));
            document.querySelector(".drop").dispatchEvent(
                new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }"""
    )
    card = page.locator(".card", has=page.locator("#csv-file"))
    expect(card.get_by_role("progressbar")).to_be_visible()
    card.get_by_role("button", name="Cancel").click()
    expect(card).to_contain_text("Cancelled; 0 rows had been predicted.")
    card.get_by_role("button", name="Go on").click()
    expect(card).to_contain_text("1,000 of 1,500")
    card.get_by_role("button", name="Cancel").click()
    expect(card).to_contain_text("Cancelled; 1,000 rows had been predicted.")
    assert sum(bool(row["prediction"]) for row in _downloaded(page)) == 1000
    card.get_by_role("button", name="Go on").click()
    expect(card).to_contain_text("1,500 of 1,500 rows predicted")
    page.unroute_all(behavior="ignoreErrors")
