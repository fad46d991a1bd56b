"""What the pages and `.env.example` say of settings, calls and files is what the code does."""

import re
import tomllib
from pathlib import Path

from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.app import create_app
from shared import __version__
from shared.settings import Settings
from tests.support.documents import pages

ROOT = Path(__file__).parent.parent.parent


def _documented(default: object) -> str:
    if default is None:
        return ""
    return default.get_secret_value() if isinstance(default, SecretStr) else str(default)


def test_the_configuration_page_lists_every_setting_with_its_default_and_description() -> None:
    page = _read("docs/configuration.md")
    rows = re.findall(r"^\| `(LIFEBOAT_\w+)` \| (?:`(.*)`)? ?\| (.*) \|$", page, re.M)
    settings = {
        f"LIFEBOAT_{name.upper()}": (_documented(field.default), field.description)
        for name, field in Settings.model_fields.items()
    }
    assert {name: (default, text) for name, default, text in rows} == settings


def test_the_http_page_has_every_call_with_an_example() -> None:
    sections = _read("docs/http-api.md").split("\n### ")[1:]
    documented = {
        (method, path)
        for section in sections
        for method, path in re.findall(r"`([A-Z]+) (/\S*)`", section.partition("\n")[0])
    }
    assert all("\n$ curl " in section for section in sections)
    paths = TestClient(create_app(Settings())).get("/openapi.json").json()["paths"]
    calls = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert documented == calls


def test_every_link_of_a_page_leads_somewhere() -> None:
    for page in pages():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", _read(page)):
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    lines = dict(re.findall(r"^#?(LIFEBOAT_\w+)=(.*)$", _read(".env.example"), re.M))
    for name, field in Settings.model_fields.items():
        assert lines.pop(f"LIFEBOAT_{name.upper()}") == _documented(field.default)
    # What is left is docker compose's alone.
    assert set(lines) == {"LIFEBOAT_PUBLISH_ADDRESS", "LIFEBOAT_WORKER_MEMORY", "LIFEBOAT_EXTRAS"}
    compose = _read("docker-compose.yml")
    for name, default in lines.items():
        assert f"${{{name}:-{default}}}" in compose


def test_containers_pass_on_every_setting_that_is_not_fixed_in_them() -> None:
    fixed = {"HOST", "PORT", "MODELS_DIR", "REDIS_URL", "REDIS_PASSWORD_FILE"}
    passed_on = set(re.findall(r"^      LIFEBOAT_(\w+):$", _read("docker-compose.yml"), re.M))
    assert passed_on == {name.upper() for name in Settings.model_fields} - fixed


def test_the_version_stands_in_one_place_and_is_read_from_there() -> None:
    project = tomllib.loads(_read("pyproject.toml"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "shared.__version__"}
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    naming = [path for path in sources if f'"{__version__}"' in path.read_text()]
    assert naming == [ROOT / "shared" / "__init__.py"]
    described = TestClient(create_app(Settings())).get("/openapi.json").json()["info"]
    assert described["version"] == __version__


def test_the_changelog_begins_with_what_is_unreleased_and_then_with_this_version() -> None:
    headings = re.findall(r"^## (.*)$", _read("CHANGELOG.md"), re.M)
    assert headings[0] == "Unreleased"
    released = [re.fullmatch(r"(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)", h) for h in headings[1:]]
    assert all(released), f"expected '## <version> (<date>)', found {headings[1:]}"
    assert not released or released[0][1] == __version__  # type: ignore[index]


def test_every_module_that_the_documents_name_exists() -> None:
    for page in pages():
        for name in re.findall(r"`((?:api|worker|shared|local|data|docs)/[\w/.-]+)`", _read(page)):
            assert (ROOT / name).exists(), f"{page} names {name}"


def test_every_test_that_the_documents_name_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", _read("docs/reliability.md"))
    assert named
    for path, name in named:
        assert not name or f"def {name}(" in _read(path), f"{path} has no {name}"


def _read(path: str) -> str:
    return (ROOT / path).read_text()
