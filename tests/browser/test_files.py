"""How the page reads files: its modules alone, in a browser and without an API."""

import base64
import mimetypes
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.support.processes import ROOT

_URL = "http://127.0.0.1/"


def _answer(route: Route) -> None:
    path = ROOT / "api" / route.request.url.removeprefix(_URL)
    if path.is_file():
        route.fulfill(body=path.read_bytes(), content_type=mimetypes.guess_type(path)[0])
    else:
        route.fulfill(body="<!doctype html>", content_type="text/html")


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    """A page with nothing on it, which can import the modules of the page."""
    page = browser.new_page()
    page.route("**/*", _answer)
    page.goto(_URL)
    yield page
    page.close()


def _decoded(page: Page, contents: list[bytes]) -> list[dict[str, Any]]:
    """Return what the page makes of each content, or `{"error": ...}`."""
    found: list[dict[str, Any]] = page.evaluate(
        """async (contents) => {
            const { decode } = await import("/page/text.js");
            return contents.map((content) => {
                try {
                    return decode(Uint8Array.from(atob(content), (c) => c.charCodeAt(0)));
                } catch (error) {
                    return { error: error.message };
                }
            });
        }""",
        [base64.b64encode(content).decode() for content in contents],
    )
    return found


_SCHEMA = {
    "properties": {
        "Sex": {"type": "string", "enum": ["male", "female"]},
        "Age": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 120}, {"type": "null"}]},
        "Region": {"anyOf": [{"type": "string", "enum": ["EU", "NA"]}, {"type": "null"}]},
        "Deck": {"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}]},
    },
    "required": ["Sex"],
}


def _read(page: Page, texts: list[str]) -> list[dict[str, Any]]:
    """Return the records that the page would send for each file and the faults, or an error."""
    found: list[dict[str, Any]] = page.evaluate(
        """async ([schema, texts]) => {
            const { workOf } = await import("/page/batch.js");
            const { fieldsOf } = await import("/page/schema.js");
            const fields = fieldsOf(schema);
            return texts.map((text) => {
                try {
                    const work = workOf("rows.csv", "y", new TextEncoder().encode(text), fields);
                    const faults = [...work.faults].flatMap(([at, found]) => found.map(
                        ([field, words]) => `${work.sheet.rows[at].line} ${field}: ${words}`));
                    return { records: work.left.map(({ record }) => record), faults };
                } catch (error) {
                    return { error: error.message };
                }
            });
        }""",
        [_SCHEMA, texts],
    )
    return found


_TEXT = "Name,Sex\nMüller “€”,male\n"


def test_text_is_read_in_the_encoding_that_it_has(bare: Page) -> None:
    cases = [
        (_TEXT.encode(), "utf-8", False),
        (_TEXT.encode("utf-8-sig"), "utf-8", True),
        (_TEXT.encode("cp1252"), "windows-1252", False),
        (b"\xff\xfe" + _TEXT.encode("utf-16-le"), "utf-16le", True),
        (b"\xfe\xff" + _TEXT.encode("utf-16-be"), "utf-16be", True),
    ]
    assert _decoded(bare, [content for content, _, _ in cases]) == [
        {"text": _TEXT, "encoding": encoding, "marked": marked} for _, encoding, marked in cases
    ]


def test_what_is_not_a_table_of_text_is_named(bare: Page) -> None:
    cases = {
        b"Sex\nmale\nM\x81ller\n": "the byte 0x81 in line 3, which is neither; save it as UTF-8",
        b"\xef\xbb\xbfSex\nM\xfcller\n": "byte order mark says UTF-8",
        b"\xff\xfea": "byte order mark says UTF-16LE",
        "Sex\nMüller\n".encode("utf-16-le"): "a NUL character in line 1",
        b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml xl/workbook.xml": "workbook (.xlsx)",
        b"PK\x03\x04" + bytes(5000) + b"PK\x01\x02 xl/worksheets": "workbook (.xlsx)",
        b"PK\x03\x04"
        + bytes(26)
        + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet": "spreadsheet (.ods)",
        b"PK\x03\x04" + bytes(26) + b"rows.csv": "a ZIP archive; unpack it",
        bytes.fromhex("d0cf11e0a1b11ae1") + bytes(500): "workbook (.xls, or",
        b"\x1f\x8b\x08\x00": "compressed with gzip; unpack it",
        b"PAR1\x15\x04": "a Parquet file",
        b"%PDF-1.7": "a PDF",
        b"\n<!DOCTYPE html><table>": "an HTML or XML page",
        b'[\n  {"Sex": "male"}]': "JSON",
    }
    for found, (content, words) in zip(_decoded(bare, [*cases]), cases.items(), strict=True):
        assert words in found["error"], content


def test_a_table_is_read_as_programs_write_it(bare: Page) -> None:
    male: dict[str, object] = {"Sex": "male"}
    cases: dict[str, list[dict[str, object]]] = {
        "Sex;Age\r\nmale;20,5\r\n": [male | {"Age": 20.5}],
        "sep=;\nSex;Age\nmale;20.5\n": [male | {"Age": 20.5}],
        "Sex\tAge\tName\nmale\t20\ta,b,c,d\n": [male | {"Age": 20}],
        "Sex|Age\rmale|20\rmale|21\r": [male | {"Age": 20}, male | {"Age": 21}],
        '"Name, first";"Sex"\n"a;\r\nb";"male"': [male],
        "Sex\nmale": [male],
        # Empty columns at the end, an index without a name, columns of others twice.
        "Sex,Age,,\nmale,20,,\nmale,21,\nmale,22,,,,\n": [male | {"Age": a} for a in (20, 21, 22)],
        ",x,x,Sex\n0,1,2,male\n": [male],
        # Rows without any value, and rows that end early.
        "Sex,Age\n,\nmale\n\n ,\t\nmale,1e1\n": [male, male | {"Age": 10}],
        # Words for a missing value, one of them a category of the record.
        "Sex,Age,Region\nmale,NA,NA\nmale,null,NULL\nmale, ,EU\n": [
            male | {"Region": "NA"},
            male,
            male | {"Region": "EU"},
        ],
        # What 1.234 and 1,234 are is said by the other numbers.
        "Sex;Age\nmale;1,234\nmale;7,25\n": [male | {"Age": 1.234}, male | {"Age": 7.25}],
        'Sex,Age\nmale,1.234\nmale,"7.25"\n': [male | {"Age": 1.234}, male | {"Age": 7.25}],
    }
    for found, (text, records) in zip(_read(bare, [*cases]), cases.items(), strict=True):
        assert found == {"records": records, "faults": []}, text


def test_every_fault_of_a_row_is_named_by_its_line(bare: Page) -> None:
    text = (
        "Sex,Age,Deck\nmale,1,1\n,,\nrobot,old,0\n,121,1.5\n"
        'male,"1,234",3\nmale,"1.234,5",3\nmale,1e999,3\nmale,Infinity,0x1\nmale,-1,-\n'
    )
    (found,) = _read(bare, [text])
    assert found["records"] == [{"Sex": "male", "Age": 1, "Deck": 1}]
    assert found["faults"] == [
        "4 Sex: expected one of male, female, got “robot”",
        "4 Age: expected a number, got “old”",
        "4 Deck: expected more than 0, got “0”",
        "5 Sex: this field is required",
        "5 Age: expected at most 120, got “121”",
        "5 Deck: expected a whole number, got “1.5”",
        "6 Age: expected a number that can be read in one way only (1234 or 1.234?), got “1,234”",
        "7 Age: expected a number without separators of thousands, got “1.234,5”",
        "8 Age: expected a number up to 3.4e38, got “1e999”",
        "9 Age: expected a number, got “Infinity”",
        "9 Deck: expected a number, got “0x1”",
        "10 Age: expected at least 0, got “-1”",
        "10 Deck: expected a number, got “-”",
    ]


def test_a_table_that_could_be_misread_is_refused(bare: Page) -> None:
    cases = {
        "": "the file is empty",
        "\n \n": "the file is empty",
        "Sex,Age\n": "a header and no rows",
        "Passengers of April\n\nSex,Age\nmale,20\n": "line 3 names the columns",
        "Report;;\nSex;Age;\nmale;20;\n": "line 2 names the columns",
        "Age,Fare\n1,2\n": "the column Sex is missing; the file has Age, Fare",
        "Sex,Age,Sex\nmale,20,male\n": "names the column Sex twice",
        # A decimal comma that is a separator, and a name of a row that the header does not count.
        "Sex,Age\nmale,20\nmale,7,25\n": "line 3: expected 2 cells as in the header, got 3",
        "Sex,Age\n1,male,20\n": "line 2: expected 2 cells as in the header, got 3",
        'Sex,Name\nmale,x\nmale,"Jim\nmale,y\n': "line 3: a quotation mark is never closed",
    }
    for found, (text, words) in zip(_read(bare, [*cases]), cases.items(), strict=True):
        assert words in found["error"], text


def test_the_form_says_the_bounds_that_there_are(bare: Page) -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"type": "number", "minimum": 0}, "At least 0"),
        ({"type": "number", "maximum": 5000.5}, "At most 5,000.5"),
        ({"type": "number", "minimum": 0, "maximum": 120}, "0 to 120"),
        (
            {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1000},
            "More than 0 and less than 1,000",
        ),
        (
            {"type": "number", "exclusiveMinimum": -1, "maximum": 0.0005},
            "More than -1 and at most 0.0005",
        ),
        ({"type": "number", "minimum": 1e-9, "maximum": 1e30}, "1e-9 to 1e+30"),
        ({"type": "number", "multipleOf": 0.5, "minimum": 0}, "Multiple of 0.5, at least 0"),
        ({"type": "integer", "multipleOf": 1, "minimum": 1, "maximum": 3}, "Whole number, 1 to 3"),
        ({"type": "number"}, ""),
        ({"type": "string", "enum": ["True", "False"]}, ""),
        ({"type": "string", "const": "a"}, ""),
    ]
    found = bare.evaluate(
        """async (properties) => {
            const { boundsOf, fieldsOf } = await import("/page/schema.js");
            return fieldsOf({ properties }).map((field) => [boundsOf(field), field.options]);
        }""",
        {str(at): kind for at, (kind, _) in enumerate(cases)},
    )
    assert [bounds for bounds, _ in found] == [bounds for _, bounds in cases]
    assert [options for _, options in found][-3:] == [None, ["True", "False"], ["a"]]


def test_it_asks_again_after_growing_pauses_until_it_is_stopped(bare: Page) -> None:
    found = bare.evaluate(
        """async () => {
            const { Refusal } = await import("/page/calls.js");
            const { patiently } = await import("/page/patience.js");
            const pauses = [];
            const later = window.setTimeout;
            window.setTimeout = (run, ms) => { pauses.push(ms); return later(run, 0); };
            const refused = [0, 502, 503, 429, 504, 0, 0].map((status) =>
                new Refusal(status, "", status === 503 ? 20 : 1));
            const waits = [];
            const ask = async () => {
                if (refused.length > 0) throw refused.shift();
                return "answer";
            };
            const told = (refusal) => waits.push(refusal?.status ?? null);
            const running = new AbortController();
            const answer = await patiently(ask, running.signal, told);
            const ends = async (status, told) => {
                const ask = () => Promise.reject(new Refusal(status, "no", 1));
                return patiently(ask, running.signal, told).catch(String);
            };
            const refusal = await ends(500, told);
            const stopped = await ends(503, () => later(() => running.abort(), 0));
            window.setTimeout = later;
            return { answer, waits, refusal, stopped, pauses: pauses.slice(0, 7) };
        }"""
    )
    assert found["answer"] == "answer"
    assert found["waits"] == [0, 502, 503, 429, 504, 0, 0, None]
    assert found["pauses"] == [1000, 2000, 20000, 8000, 16000, 30000, 30000]
    assert found["refusal"] == "Error: no"
    assert "AbortError" in found["stopped"]


def test_a_row_that_the_api_refuses_is_named_by_its_line(bare: Page) -> None:
    """The API counts rows within a request, and has room for some errors only; here for three."""
    found = bare.evaluate(
        """async (schema) => {
            const { batch } = await import("/page/batch.js");
            const { fieldsOf } = await import("/page/schema.js");
            const answer = (status, body) => new Response(JSON.stringify(body), { status });
            window.fetch = async (path, { body }) => {
                const records = JSON.parse(body);
                const faults = records.flatMap(({ Age }, row) =>
                    (Age === 13 ? ["Age", "Region"] : []).map((field) => ({
                        loc: ["body", row, field],
                        msg: `passenger ${row}, ${field}: not ${field}`,
                    })));
                if (faults.length > 0) return answer(422, { detail: faults.slice(0, 3) });
                return answer(200, {
                    predictions: records.map(() => 1),
                    probabilities: records.map(() => 0.5),
                    model_version: "v",
                });
            };
            document.body.append(batch({ fields: fieldsOf(schema), label: "y" }));
            const rows = [1, 13, 2, 13, 13, 3].map((age) => `male,${age},NA`);
            const data = new DataTransfer();
            data.items.add(new File([["Sex,Age,Region", ...rows].join("\\n")], "rows.csv"));
            document.querySelector(".drop").dispatchEvent(
                new DragEvent("drop", { dataTransfer: data, cancelable: true }));
            while (document.querySelector(".problems") === null)
                await new Promise((resolve) => setTimeout(resolve, 10));
            const texts = (name) => [...document.querySelectorAll(name)].map((e) => e.textContent);
            return [texts(".verdict")[0], texts(".problems li")];
        }""",
        _SCHEMA,
    )
    assert found == [
        "3 of 6 rows predicted: 3 × y = 1, 0 × 0",
        [f"line {line}, {name}: not {name}" for line in (3, 5, 6) for name in ("Age", "Region")],
    ]
