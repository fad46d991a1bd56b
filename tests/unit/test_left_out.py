"""What `make test` leaves out, and that nothing is left out for good."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT, clean_environment

_MARK = "pytest.mark.thorough"
_DECISION = ROOT / "docs" / "decisions" / "0049-a-quick-part-of-the-tests.md"
_RINGS = ("unit", "integration", "browser", "faults", "containers")


def _tests(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each test of a module, and whether all of it is marked thorough."""
    module = ast.parse(path.read_text())
    everything = any(
        isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "pytestmark"
        and _MARK in ast.unparse(node.value)
        for node in module.body
    )
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = [ast.unparse(decorator) for decorator in node.decorator_list]
            yield node.name, everything or _MARK in marks


def test_every_ring_has_tests_of_both_kinds() -> None:
    for ring in _RINGS:
        found = {
            is_thorough
            for path in (ROOT / "tests" / ring).rglob("test_*.py")
            for _, is_thorough in _tests(path)
        }
        assert found == {True, False}, ring


def test_what_the_decision_says_is_kept_is_kept() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", _DECISION.read_text())
    assert {path.split("/")[1] for path, _ in named} == set(_RINGS)
    for path, name in named:
        assert dict(_tests(ROOT / path)).get(name) is False, f"{path}::{name}"


def test_make_test_alone_leaves_tests_out_and_ci_none() -> None:
    makefile = (ROOT / "Makefile").read_text()
    options = {
        target: re.findall(r'-m "([^"]*)"', recipe)
        for target, recipe in re.findall(r"^([a-z-]+):.*\n((?:\t.*\n)+)", makefile, re.M)
        if "PYTEST" in recipe or "pytest" in recipe
    }
    assert options.pop("check") == ["not slow and not thorough"]
    assert options.pop("test") == ["not thorough"]
    assert "test-all" in options and "coverage" in options and "faults" in options
    assert not any(options.values())
    for path in (".ci/run", ".github/workflows/ci.yml"):
        text = (ROOT / path).read_text()
        assert re.search(r"\bmake .*\btest-all\b", text), path
        assert not re.search(r"\bmake .*\btest\b(?!-all)", text), path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "left_out"),
    [
        (["-m", "not thorough"], 2),
        (["-m", "not thorough", "-p", "xdist", "--numprocesses", "2"], 2),
        (["-m", "not slow and not thorough"], 2),
        (["-m", "not thorough", "-k", "one"], 1),
        (["-k", "two"], 0),
        ([], 0),
    ],
)
def test_its_last_lines_have_the_number_of_thorough_tests_left_out(
    tmp_path: Path, options: list[str], left_out: int
) -> None:
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "def test_quick_one(): pass\n"
        "def test_quick_two(): pass\n"
        "@pytest.mark.slow\n"
        "def test_slow_one(): pass\n"
        "@pytest.mark.thorough\n"
        "def test_thorough_one(): pass\n"
        "@pytest.mark.thorough\n"
        "def test_thorough_two(): pass\n"
    )
    (tmp_path / "conftest.py").write_text(
        "from tests.support.left_out import LeftOut\n"
        "def pytest_configure(config):\n"
        "    config.pluginmanager.register(LeftOut())\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n slow\n thorough\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=tmp_path,
        env=clean_environment() | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = f"{left_out} thorough tests were left out; `make test-all` runs them, too."
    assert (said in done.stdout) is bool(left_out)
