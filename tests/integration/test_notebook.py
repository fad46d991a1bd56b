"""`notebooks/model.ipynb` runs from its first cell to its last, with all that it asserts."""

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.processes import ROOT, Api, Stack
from tests.support.versions import TRAINING_DATA

_NOTEBOOK = ROOT / "notebooks" / "model.ipynb"

# jupyter_client's and zmq's own.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def environment(running: Stack, api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("LIFEBOAT_", "JUPYTER_", "IPYTHON")):
            monkeypatch.delenv(name)
    for name, value in {
        "LIFEBOAT_MODELS_DIR": str(running.models_dir),
        "LIFEBOAT_PORT": str(api.port),
        "LIFEBOAT_TRAINING_DATA": running.settings["training_data"],
        # Nothing is written to a developer's home.
        "HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)


def _run(folder: Path) -> Any:
    notebook = nbformat.read(_NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return notebook


def _texts(notebook: Any) -> str:
    return json.dumps([cell.get("outputs", []) for cell in notebook.cells])


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


@pytest.mark.usefixtures("environment")
def test_a_version_of_another_table_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFEBOAT_TRAINING_DATA", TRAINING_DATA)
    said = _texts(_run(ROOT))
    assert '"text/plain": "False"' in said
    assert "891 rows, 342 with label 1 (38%)" in said


def test_it_is_committed_without_outputs() -> None:
    for cell in json.loads(_NOTEBOOK.read_text())["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None
