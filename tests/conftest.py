"""What every ring of tests shares."""

from pathlib import Path

import pytest

from shared.model_store import ModelStore


@pytest.fixture(autouse=True)
def away_from_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings read a .env of the working directory: not a developer's."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def model_store(models_dir: Path) -> ModelStore:
    return ModelStore(models_dir)
