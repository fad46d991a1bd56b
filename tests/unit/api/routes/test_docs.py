"""Swagger UI at /docs: served from here alone, under the policy of the page."""

import re
import sys
from pathlib import Path
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient

import api

_FILES = ["/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/page/docs.js", "/page/docs.css"]


def test_the_frame_has_the_policy_of_the_page(client: TestClient) -> None:
    page, docs = client.get("/"), client.get("/docs")
    assert docs.status_code == 200
    assert docs.headers["Content-Type"].startswith("text/html")
    for header in ("Content-Security-Policy", "Cache-Control"):
        assert docs.headers[header] == page.headers[header]
    for directive in ("script-src 'self';", "style-src 'self';", "connect-src 'self';"):
        assert directive in docs.headers["Content-Security-Policy"]
    assert client.head("/docs").status_code == 200


def test_the_frame_needs_only_files_that_are_served_here(client: TestClient) -> None:
    """By relative addresses: a proxy may have put the API below another path."""
    html = client.get("/docs").text
    needed = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert {path.removeprefix("/") for path in _FILES} <= set(needed)
    for path in needed:
        assert not path.startswith("/")
        assert client.get(urljoin("/docs", path)).status_code == 200, path


@pytest.mark.parametrize("path", _FILES)
def test_a_file_is_sent_once_and_then_confirmed(client: TestClient, path: str) -> None:
    first = client.get(path)
    assert first.headers["Content-Type"].startswith(("text/javascript", "text/css"))
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    for answer in (first, again):
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        # The package has these two, and they are not needed.
        *("/docs/redoc.standalone.js", "/docs/favicon.png"),
        *("/docs/", "/docs/none.js", "/docs/..%2fcore.py", "/docs/%2e%2e/core.py", "/docs//x"),
        # What FastAPI would serve.
        *("/redoc", "/docs/oauth2-redirect"),
    ],
)
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/docs", *_FILES])
def test_it_can_only_be_read(client: TestClient, path: str) -> None:
    assert client.post(path).status_code == 405


def test_the_package_of_swagger_ui_is_not_imported(client: TestClient) -> None:
    assert client.get("/docs").status_code == 200
    assert "fastapi_offline" not in sys.modules


def test_no_page_names_another_host() -> None:
    folder = Path(api.__file__).parent / "page"
    for page in sorted(folder.glob("*.html")):
        assert "//" not in page.read_text(), page.name


def test_the_page_asks_for_all_of_its_modules_at_once(client: TestClient) -> None:
    modules = {path.name for path in (Path(api.__file__).parent / "page").glob("*.js")}
    needed = re.findall(r'(?:src|href)="page/([^"]+\.js)"', client.get("/").text)
    assert sorted(needed) == sorted(modules - {"docs.js"})
