"""The files of the checkout, by what they are for the tests of its documents."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.processes import ROOT

ROOMS = ("api", "worker", "shared", "local", "cli")
"""The folders of the product's code."""

_OTHER_CODE = ("tests", "benchmarks", "deploy", "examples")


def documents() -> list[Path]:
    """Return every page that is written for people."""
    return [
        *sorted(ROOT.glob("*.md")),
        *(page for folder in ("docs", "examples", "benchmarks") for page in _in(folder, "*.md")),
    ]


def modules() -> list[Path]:
    """Return every module of the product; a package without code of its own is not one."""
    found = [path for room in ROOMS for path in _in(room, "*.py")]
    return [path for path in found if path.name != "__init__.py"]


def python_files() -> list[Path]:
    return [path for folder in (*ROOMS, *_OTHER_CODE) for path in _in(folder, "*.py")]


def other_files() -> list[Path]:
    """Return what is neither Python nor prose: Lua, the page, tables, images, the chart, CI."""
    patterns = ("*.js", "*.css", "*.html", "*.lua", "*.yml", "*.yaml", "*.json", "*.ipynb", "*.csv")
    folders = ("api", "shared", "deploy", "examples", "monitoring", "notebooks", ".github")
    return [
        *(path for folder in folders for pattern in patterns for path in _in(folder, pattern)),
        *_in("deploy/helm", "*.tpl"),
        *sorted(ROOT.glob("Dockerfile.*")),
        *(ROOT / name for name in ("docker-compose.yml", "Makefile", "pyproject.toml")),
        *(ROOT / name for name in (".env.example", ".ci/run", ".pre-commit-config.yaml")),
    ]


def docstrings(module: ast.Module) -> Iterator[ast.Constant]:
    """Yield each string that stands alone: of modules, classes, functions, and of attributes."""
    for node in ast.walk(module):
        match node:
            case ast.Expr(value=ast.Constant(value=str()) as docstring):
                yield docstring


def _in(folder: str, pattern: str) -> list[Path]:
    return sorted((ROOT / folder).rglob(pattern))
