"""How the page reads files: its modules alone, in a browser and without an API."""

import base64
import json
import mimetypes
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route
from pydantic import TypeAdapter

from tests.support.processes import ROOT
from tests.support.titanic import Passenger

_TABLES = ROOT / "tests" / "files" / "tables"
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


def _read(page: Page, files: list[tuple[Any, bytes]]) -> list[dict[str, Any]]:
    """Return what the page reads of each file, by its record's schema: records by line, faults.

    A file that is refused has only `error`.
    """
    found: list[dict[str, Any]] = page.evaluate(
        """async (files) => {
            const { workOf } = await import("/page/batch.js");
            const { fieldsOf } = await import("/page/schema.js");
            return files.map(([schema, content]) => {
                try {
                    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
                    const known = { target: "y", kind: "binary", classes: [0, 1], positive: 1 };
                    const whole = { fields: fieldsOf(schema), ...known };
                    const { left, faults, sheet } = workOf("rows.csv", whole, bytes);
                    const lineOf = (at) => sheet.rows[at].line;
                    return {
                        records: left.map(({ record }) => record),
                        lines: left.map(({ at }) => lineOf(at)),
                        faults: [...faults].flatMap(([at, found]) => found.map(
                            ([field, words]) => `line ${lineOf(at)}, ${field}: ${words}`)),
                    };
                } catch (error) {
                    return { error: error.message };
                }
            });
        }""",
        [[schema, base64.b64encode(content).decode()] for schema, content in files],
    )
    return found


def _schema(features: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the JSON schema of a record with such features."""
    kinds = {
        feature["name"]: {"type": "string", "enum": feature["categories"]}
        if feature["kind"] == "category"
        else {"type": "number"}
        for feature in features
    }
    required = [feature["name"] for feature in features if feature["required"]]
    return {"properties": kinds, "required": required}


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


def test_what_is_not_text_is_named_by_its_first_bytes(bare: Page) -> None:
    """Kinds that the example tables do not have."""
    cases = {
        b"Sex\nmale\nM\x81ller\n": "the byte 0x81 in line 3, which is neither; save it as UTF-8",
        b"PK\x03\x04" + bytes(5000) + b"PK\x01\x02 xl/worksheets": "workbook (.xlsx)",
        b"PK\x05\x06" + bytes(18): "a zip archive; unpack it",
        b"BZh91AY&SY": "a compressed file",
        b"PAR1\x15\x04": "a Parquet file",
    }
    for found, (content, words) in zip(_decoded(bare, [*cases]), cases.items(), strict=True):
        assert words in found["error"], content


def test_the_example_tables_are_read_as_training_reads_them(bare: Page) -> None:
    index = json.loads((_TABLES / "cases.json").read_text())
    schemas = {name: _schema(features) for name, features in index["records"].items()}
    passenger = TypeAdapter(Passenger).json_schema()
    cases = [case | case.get("page", {}) for case in index["cases"]]
    files = [
        (schemas.get(case.get("record"), passenger), (_TABLES / case["file"]).read_bytes())
        for case in cases
    ]
    wrong = {}
    for case, found in zip(cases, _read(bare, files), strict=True):
        if "refused" in case:
            said = found.get("error") or "; ".join(found["faults"])
            right = bool(said) and all(word in said for word in case["refused"])
        else:
            rows = [{k: v for k, v in row.items() if v is not None} for row in case["rows"]]
            right = found == {
                "records": rows,
                "lines": case.get("lines", found.get("lines")),
                "faults": [],
            }
        if not right:
            wrong[case["name"]] = found
    assert not wrong


_SCHEMA = {
    "properties": {
        "Sex": {"type": "string", "enum": ["male", "female"]},
        "Age": {"anyOf": [{"type": "number", "minimum": 0, "maximum": 120}, {"type": "null"}]},
        "Deck": {"anyOf": [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}]},
    },
    "required": ["Sex"],
}


def test_every_fault_of_a_row_is_named_by_its_line(bare: Page) -> None:
    text = (
        "Sex,Age,Deck\nmale,1,1\n,,\nrobot,old,0\n,121,1.5\n"
        "male,1e999,3\nmale,Infinity,0x1\nmale,-1,-\n"
    )
    (found,) = _read(bare, [(_SCHEMA, text.encode())])
    assert found["records"] == [{"Sex": "male", "Age": 1, "Deck": 1}]
    assert found["faults"] == [
        "line 4, Sex: expected one of male, female, got “robot”",
        "line 4, Age: expected a number, got “old”",
        "line 4, Deck: expected more than 0, got “0”",
        "line 5, Sex: this field is required",
        "line 5, Age: expected at most 120, got “121”",
        "line 5, Deck: expected a whole number, got “1.5”",
        "line 6, Age: expected a number up to 3.4e38, got “1e999”",
        "line 7, Age: expected a number, got “Infinity”",
        "line 7, Deck: expected a number, got “0x1”",
        "line 8, Age: expected at least 0, got “-1”",
        "line 8, Deck: expected a number, got “-”",
    ]


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


def test_an_answer_that_breaks_off_counts_as_none_and_a_proxy_may_ask_to_wait(bare: Page) -> None:
    found = bare.evaluate(
        """async () => {
            const { call } = await import("/page/calls.js");
            const start = (stream) => stream.error(new TypeError("cut"));
            const cut = new ReadableStream({ start });
            const inAMinute = new Date(Date.now() + 60_000).toUTCString();
            const page = (headers) => new Response("<html>", { status: 503, headers });
            const answers = [
                new Response(cut),
                page({ "Retry-After": "7" }),
                page({ "Retry-After": inAMinute }),
                page({ "Retry-After": "soon" }),
            ];
            window.fetch = async () => answers.shift();
            const refusals = [];
            while (answers.length > 0)
                refusals.push(await call("GET", "/models").catch((refusal) => refusal));
            return refusals.map(({ status, message, retryAfter }) => [status, message, retryAfter]);
        }"""
    )
    assert found[:2] == [[0, "the server does not answer", 2], [503, "status 503", 7]]
    # Not to the second: the header has no fractions.
    assert 50 < found[2][2] <= 60
    assert found[3][2] == 1


def test_a_row_that_the_api_refuses_is_named_by_its_line(bare: Page) -> None:
    """The API counts rows within a request, and has room for some errors only; here for three.

    Meanwhile another version is served.
    """
    found = bare.evaluate(
        """async (schema) => {
            const { batch } = await import("/page/batch.js");
            const { fieldsOf } = await import("/page/schema.js");
            const answer = (status, body) => new Response(JSON.stringify(body), { status });
            let answers = 0;
            window.fetch = async (path, { body }) => {
                // The page asks for the schema of the other version, and learns nothing.
                if (path.endsWith("/openapi.json")) return answer(503, { detail: "not now" });
                const records = JSON.parse(body);
                const faults = records.flatMap(({ Age }, row) =>
                    (Age === 13 ? ["Age", "Deck"] : []).map((field) => ({
                        loc: ["body", row, field],
                        msg: `passenger ${row}, ${field}: not ${field}`,
                    })));
                if (faults.length > 0) return answer(422, { detail: faults.slice(0, 3) });
                return answer(200, {
                    predictions: records.map(() => 1),
                    probabilities: records.map(() => 0.5),
                    model_version: `version-${(answers += 1)}`,
                });
            };
            const known = { target: "y", kind: "binary", classes: [0, 1], positive: 1 };
            const outcome = document.createElement("div");
            document.body.append(batch({ fields: fieldsOf(schema), ...known }, outcome));
            const ages = [1, 13, 2, 13, 13, ...Array(1000).fill(3)];
            const rows = ages.map((age) => `male,${age},3`);
            const data = new DataTransfer();
            data.items.add(new File([["Sex,Age,Deck", ...rows].join("\\n")], "rows.csv"));
            document.querySelector(".drop").dispatchEvent(
                new DragEvent("drop", { dataTransfer: data, cancelable: true }));
            for (let look = 0; look < 1000 && !document.querySelector(".problems"); look += 1)
                await new Promise((resolve) => setTimeout(resolve, 10));
            const texts = (name) => [...document.querySelectorAll(name)].map((e) => e.textContent);
            return [texts(".verdict")[0], texts(".problems li"), texts(".notice").join()];
        }""",
        _SCHEMA,
    )
    verdict, faults, notices = found
    assert verdict == "1,002 of 1,005 rows predicted: 1,002 × y = 1, 0 × 0"
    assert faults == [f"line {line}, {f}: not {f}" for line in (3, 5, 6) for f in ("Age", "Deck")]
    assert "the rows were answered by version-1, version-2" in notices
