"""What every ring of tests shares."""

from pathlib import Path

import pytest

from shared.model_store import ModelStore


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def model_store(models_dir: Path) -> ModelStore:
    return ModelStore(models_dir)
