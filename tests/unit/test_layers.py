"""Who may open files: what import-linter cannot see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT

STORAGE = ROOT / "shared" / "versions" / "storage" / "local.py"
FILE_MODULES = {"os", "io", "shutil", "pathlib", "tempfile", "fcntl", "glob", "mmap"}

VERSIONS = sorted((ROOT / "shared" / "versions").rglob("*.py"))
PRODUCT = sorted(
    path for room in ("api", "worker", "shared") for path in (ROOT / room).rglob("*.py")
)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def _touches_files(source: str) -> list[str]:
    """Return what a module could open files with, as far as its names show it."""
    tree = ast.parse(source)
    found = [name for name in _imported(tree) if name.partition(".")[0] in FILE_MODULES - {"os"}]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "open":
            found.append("open")
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            found.append("from os")
    # `os.environ` opens nothing, and onnxruntime's telemetry is switched off in it.
    parents = {id(node.value): node for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "os":
            used = parents.get(id(node))
            if used is None or used.attr != "environ":
                found.append(f"os.{used.attr}" if used else "os")
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import shutil",
        "from pathlib import Path",
        "import os\nos.listdir('.')",
        "import os\nstat = os.stat",
        "from os import environ",
        "import os.path\nos.path.exists('.')",
        "open('x')",
        "read = open",
        "import os\nlook(os)",
        "def f():\n    import fcntl",
    ],
)
def test_a_module_that_could_open_files_is_seen(source: str) -> None:
    assert _touches_files(source)


def test_the_storage_on_the_disk_is_seen_and_the_environment_is_no_file() -> None:
    assert _touches_files(STORAGE.read_text())
    assert not _touches_files("import os\nos.environ['A'] = 'b'")


@pytest.mark.parametrize("path", [path for path in VERSIONS if path != STORAGE], ids=_name)
def test_of_the_rooms_of_versions_only_the_local_storage_opens_files(path: Path) -> None:
    assert _touches_files(path.read_text()) == []


def _uses_of_the_models_folder(tree: ast.AST) -> Iterator[tuple[int, bool]]:
    """Yield each line that names the setting, and whether it gives it to the local storage."""
    given = {
        id(argument)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "LocalStorage"
        for argument in node.args
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr == "models_dir":
            yield node.lineno, id(node) in given


def test_no_service_does_anything_with_the_models_folder_but_make_a_storage_of_it() -> None:
    uses = [
        (f"{_name(path)}:{line}", is_given)
        for path in PRODUCT
        # Which takes the folder from the newer setting.
        if path.name != "models_place.py"
        for line, is_given in _uses_of_the_models_folder(ast.parse(path.read_text()))
    ]
    assert uses
    assert [where for where, is_given in uses if not is_given] == []
