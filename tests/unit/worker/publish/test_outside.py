"""A run without Redis: the choice by compare-and-swap."""

from pathlib import Path

import pytest

from shared.settings import Settings
from shared.versions import current
from shared.versions.manifest import Manifest
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.versions import EXAMPLES, publish
from worker.publish.outside import Outside


@pytest.fixture
def storage(models_dir: Path) -> LocalStorage:
    return LocalStorage(models_dir)


@pytest.fixture
def run(models_dir: Path) -> Outside:
    return Outside(Settings(models_dir=models_dir, model=EXAMPLES / "titanic"), forced=False)


def _candidate(storage: LocalStorage, roc_auc: float) -> Manifest:
    return ModelStore(storage).manifest(publish(storage, roc_auc=roc_auc))


def test_what_nobody_has_changed_is_replaced(storage: LocalStorage, run: Outside) -> None:
    candidate = _candidate(storage, 0.9)
    chosen, replaced, noted = run.choose(candidate, None)
    assert chosen == candidate and replaced is None and noted is not None
    assert current.look(storage) == noted and noted.version == candidate.model_version


def test_who_loses_is_gated_again_under_a_new_name(storage: LocalStorage, run: Outside) -> None:
    candidate, other = _candidate(storage, 0.9), _candidate(storage, 0.9)
    rival = current.replace(storage, other.model_version, None)
    chosen, replaced, noted = run.choose(candidate, None)
    assert chosen.gate.compared_with == other.model_version
    # What is put back if no server takes it over.
    assert replaced == rival and noted is not None
    assert noted.version == chosen.model_version and noted.generation == 2
    # The first name is gone: its manifest said what was not so any more.
    assert ModelStore(storage).versions() == [chosen.model_version, other.model_version]
    assert chosen.files == candidate.files and chosen.metrics == candidate.metrics


def test_who_loses_to_a_better_model_is_rejected(storage: LocalStorage, run: Outside) -> None:
    candidate, other = _candidate(storage, 0.7), _candidate(storage, 0.9)
    current.replace(storage, other.model_version, None)
    chosen, _, noted = run.choose(candidate, None)
    assert chosen.gate.outcome == "rejected" and noted is None
    assert current.read(storage) == other.model_version


def test_what_was_chosen_before_is_put_back_unless_somebody_has_chosen(
    storage: LocalStorage, run: Outside
) -> None:
    older, newer = _candidate(storage, 0.9), _candidate(storage, 0.9)
    before = current.replace(storage, older.model_version, None)
    _, _, noted = run.choose(newer, before)
    assert noted is not None
    assert run.put_back(before, noted) == f"{older.model_version} is chosen again"
    assert current.read(storage) == older.model_version
    assert "somebody has chosen another" in run.put_back(before, noted)
    assert "no version before it" in run.put_back(None, noted)
