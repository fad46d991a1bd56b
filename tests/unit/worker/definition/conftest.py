from collections.abc import Callable
from pathlib import Path

import pytest

from worker.definition.definition import Definition, read

RECORD = """
from typing import *
from pydantic import *
from typing_extensions import TypedDict

TARGET = "y"

{code}

EXAMPLES = [{{"mass": 1.0}}, {{}}]
"""

CLASS = """
class Thing(BaseModel):
    mass: float | None = None
    y: Literal[0, 1]
"""

MODEL = """
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

def estimator():
    return make_pipeline(SimpleImputer(), LogisticRegression())
"""

REGRESSION = """
from sklearn.dummy import DummyRegressor

def estimator():
    return DummyRegressor()
"""

Read = Callable[..., Definition]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder without files."""
    made = tmp_path / "things"
    made.mkdir()
    return made


@pytest.fixture
def read_files(folder: Path) -> Read:
    """Write the files of a folder, and read it."""

    def write(
        record: str = RECORD.format(code=CLASS), model: str = MODEL, **more: str
    ) -> Definition:
        for name, text in {"record": record, "model": model, **more}.items():
            (folder / f"{name}.py").write_text(text)
        return read(folder)

    return write


@pytest.fixture
def read_class(read_files: Read) -> Read:
    """Read a folder whose record.py has this class, and perhaps another model."""

    def write(code: str, model: str = MODEL) -> Definition:
        return read_files(RECORD.format(code=code), model)

    return write
