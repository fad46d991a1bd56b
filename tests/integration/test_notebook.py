"""`notebooks/model.ipynb` runs from its first cell to its last, with all that it asserts."""

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.processes import ROOT, RUN_SECONDS, Api, Stack, variables, wait_for
from tests.support.versions import TRAINING_DATA

_NOTEBOOK = ROOT / "notebooks" / "model.ipynb"

# jupyter_client's and zmq's own.
pytestmark = pytest.mark.filterwarnings("default")


def _set(monkeypatch: pytest.MonkeyPatch, home: Path, stack: Stack, api: Api) -> None:
    for name in os.environ:
        if name.startswith(("LIFEBOAT_", "JUPYTER_", "IPYTHON")):
            monkeypatch.delenv(name)
    for name, value in {
        **variables(stack.settings),
        "LIFEBOAT_MODELS_DIR": str(stack.models_dir),
        "LIFEBOAT_PORT": str(api.port),
        # Nothing is written to a developer's home.
        "HOME": str(home),
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def environment(running: Stack, api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _set(monkeypatch, tmp_path, running, api)


def _run(folder: Path) -> Any:
    notebook = nbformat.read(_NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return notebook


def _texts(notebook: Any) -> str:
    return json.dumps([cell.get("outputs", []) for cell in notebook.cells])


@pytest.mark.thorough
@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("folder", [ROOT, ROOT / "notebooks"])
def test_it_runs_from_either_folder_and_finds_what_it_asserts(folder: Path, api: Api) -> None:
    notebook = _run(folder)
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    said = _texts(notebook)
    assert str(api.version()) in said
    # The version was trained on the table that the notebook reads, so the metrics were compared.
    assert '"text/plain": "True"' in said
    assert said.count("image/png") == 2


@pytest.mark.thorough
@pytest.mark.usefixtures("environment")
def test_a_version_of_another_table_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFEBOAT_TRAINING_DATA", TRAINING_DATA)
    said = _texts(_run(ROOT))
    assert '"text/plain": "False"' in said
    assert "891 rows" in said


@pytest.mark.thorough
@pytest.mark.parametrize("example", ["penguins", "diabetes"])
def test_it_runs_for_any_kind(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "stack"
    folder.mkdir()
    stack = Stack(folder, model=str(ROOT / "examples" / example))
    try:
        stack.start_worker()
        api = stack.start_api()
        wait_for(api.version, seconds=RUN_SECONDS)
        _set(monkeypatch, tmp_path, stack, api)
        said = _texts(_run(ROOT))
    finally:
        stack.end()
    assert '"text/plain": "True"' in said
    assert said.count("image/png") == 2


def test_it_is_committed_without_outputs() -> None:
    for cell in json.loads(_NOTEBOOK.read_text())["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None
