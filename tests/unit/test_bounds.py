"""The table of bounds in docs/reliability.md has all limits, and tests that are there."""

import ast
import importlib
import re

import pytest

from api import limits
from shared.settings import Settings
from tests.support.processes import ROOT

_PAGE = (ROOT / "docs" / "reliability.md").read_text()
_TABLE = _PAGE.partition("## What a stranger can make it hold or do")[2].partition("\n## ")[0]
_ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in _TABLE.splitlines()
    if line.startswith("| ") and not line.startswith("| what |")
]
_WHAT = [row[0] for row in _ROWS]


@pytest.mark.parametrize("row", _ROWS, ids=_WHAT)
def test_a_limit_is_a_setting_or_a_name_in_its_module(row: list[str]) -> None:
    named = re.findall(r"`([\w/.]+)`", row[1])
    paths = [name for name in named if name.endswith(".py")]
    module = importlib.import_module(paths[0][:-3].replace("/", ".")) if paths else limits
    for name in set(named) - set(paths):
        if name.startswith("LIFEBOAT_"):
            assert name.removeprefix("LIFEBOAT_").lower() in Settings.model_fields
        else:
            assert hasattr(module, name), f"{name}: expected it in {module.__name__}"


@pytest.mark.parametrize("row", _ROWS, ids=_WHAT)
def test_a_bound_is_held_by_tests_that_are_there(row: list[str]) -> None:
    tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row[-1])
    assert tests, "expected a test"
    for path, name in tests:
        tree = ast.parse((ROOT / path).read_text())
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert not name or name in functions, f"{path} has no {name}"


def test_every_capacity_of_the_api_stands_in_the_table() -> None:
    """Times that are not a bound of what a client does have names that end with SECONDS."""
    named = {*re.findall(r"`([A-Z_]+)`", _TABLE)}
    capacities = {name for name in vars(limits) if re.fullmatch(r"[A-Z_]+", name)}
    assert {name for name in capacities - named if not name.endswith("SECONDS")} == set()
