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
