"""What the pages and `.env.example` say of settings, calls and files is what the code does."""

import re
import tomllib
from pathlib import Path

from pydantic import SecretStr

from shared import __version__
from shared.environment import READ_ELSEWHERE
from shared.settings import Settings
from tests.support.documents import pages
from tests.support.titanic import openapi
from tests.support.tree import documents, other_files, python_files

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
    paths = openapi()["paths"]
    calls = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert documented == calls


def test_every_link_of_a_page_leads_somewhere() -> None:
    for page in documents():
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page} links to {target}"


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    lines = dict(re.findall(r"^#?(LIFEBOAT_\w+)=(.*)$", _read(".env.example"), re.M))
    for name, field in Settings.model_fields.items():
        assert lines.pop(f"LIFEBOAT_{name.upper()}") == _documented(field.default)
    # What is left is docker compose's alone. `make` sets the version.
    assert set(lines) == {f"LIFEBOAT_{name}" for name in READ_ELSEWHERE - {"VERSION"}}
    compose = _read("docker-compose.yml")
    for name, default in lines.items():
        assert f"${{{name}:-{default}}}" in compose
    read = set(re.findall(r"\$\{LIFEBOAT_(\w+)", compose))
    assert read <= {name.upper() for name in Settings.model_fields} | READ_ELSEWHERE


def test_containers_pass_on_every_setting_that_is_not_fixed_in_them() -> None:
    fixed = {
        "REVISION",
        # The folder is mounted, and has a path of its own there.
        "MODEL",
        "HOST",
        "PORT",
        "MODELS_DIR",
        "REDIS_URL",
        "REDIS_PASSWORD_FILE",
        "ALIVE_FILE",
    }
    line = r"^      LIFEBOAT_(\w+):(?: \$\{LIFEBOAT_\1:(?:-\w+|\+\$\{LIFEBOAT_\1\},.+)\})?$"
    passed_on = set(re.findall(line, _read("docker-compose.yml"), re.M))
    assert passed_on == {name.upper() for name in Settings.model_fields} - fixed


def test_no_variable_without_a_value_takes_away_what_an_image_sets() -> None:
    bare = set(re.findall(r"^      (\w+):$", _read("docker-compose.yml"), re.M))
    for image in ("Dockerfile.api", "Dockerfile.worker"):
        set_by_image = set(re.findall(r"^(?:ENV|   ) (\w+)=", _read(image), re.M))
        assert "LIFEBOAT_LOG_FORMAT" in set_by_image
        assert not bare & set_by_image


def test_the_version_stands_in_one_place_and_is_read_from_there() -> None:
    project = tomllib.loads(_read("pyproject.toml"))
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "shared.__version__"}
    naming = [
        path for path in (*python_files(), *other_files()) if f'"{__version__}"' in path.read_text()
    ]
    assert naming == [ROOT / "shared" / "__init__.py"]
    described = openapi()["info"]
    assert described["version"] == __version__


def test_the_changelog_begins_with_what_is_unreleased_and_then_with_this_version() -> None:
    headings = re.findall(r"^## (.*)$", _read("CHANGELOG.md"), re.M)
    assert headings[0] == "Unreleased"
    released = [re.fullmatch(r"(\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d)\)", h) for h in headings[1:]]
    assert all(released), f"expected '## <version> (<date>)', found {headings[1:]}"
    assert not released or released[0][1] == __version__  # type: ignore[index]


def test_the_hooks_run_the_tools_of_make_lint_from_the_same_place() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", _read("Makefile"), re.M)
    assert recipe
    tool = r"([\w-]+(?: [a-z]+\b)?)"
    linted = re.findall(rf"^\t\$\(BIN\)/python (?:-m |\$\(BIN\)/){tool}", recipe[1], re.M)
    start = r"entry: \.venv/bin/python (?:-m |\.venv/bin/)"
    hooks = re.findall(start + tool, _read(".pre-commit-config.yaml"))
    assert len(hooks) == 4 and hooks == linted


def test_no_script_of_the_environment_is_run_by_its_first_line() -> None:
    """It names the folder that the environment was made in, which may have been moved since."""
    for path in ("Makefile", ".pre-commit-config.yaml", ".ci/run"):
        # uv is a program.
        assert set(re.findall(r"(?<!python )(?:\$\(BIN\)|\.venv/bin)/([\w-]+)", _read(path))) <= {
            "python",
            "uv",
        }


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
