import os
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.versions import definition, publish
from worker.training.served import Served, look

MISSING = "20200101-000000-000000"


def _damaged(models_dir: Path) -> str:
    version = publish(models_dir)
    (models_dir / version / "manifest.json").write_text("{")
    return version


def _without_model(models_dir: Path) -> str:
    version = publish(models_dir)
    (models_dir / version / "model.onnx").unlink()
    return version


@pytest.fixture(autouse=True)
def a_volume(model_store: ModelStore) -> None:
    model_store.create()


def _version(served: Served) -> str | None:
    return None if served.manifest is None else served.manifest.model_version


def test_on_an_empty_volume_nothing_is_served(model_store: ModelStore) -> None:
    for named in (None, "nonsense", MISSING):
        assert look(model_store, named) == Served()
    assert MISSING in look(model_store, MISSING, [MISSING]).unknown


def test_the_key_comes_first_then_the_last_choice_then_the_newest_promoted(
    models_dir: Path, model_store: ModelStore
) -> None:
    keyed, chosen, newest = (publish(models_dir) for _ in range(3))
    publish(models_dir, outcome="rejected")
    assert _version(look(model_store, keyed)) == keyed
    assert _version(look(model_store, None)) == newest
    model_store.set_current(chosen)
    for named in (None, "nonsense", MISSING, _damaged(models_dir), _without_model(models_dir)):
        assert _version(look(model_store, named)) == chosen


@pytest.mark.parametrize("broken", [_damaged, _without_model, lambda _: MISSING])
def test_a_named_version_that_cannot_be_read_is_unknown_and_never_nothing(
    models_dir: Path, model_store: ModelStore, broken: Callable[[Path], str]
) -> None:
    # Another one that is sound is not what is served.
    publish(models_dir)
    version = broken(models_dir)
    served = look(model_store, version)
    assert served.manifest is None and version in served.unknown


def test_versions_that_cannot_be_read_are_unknown_though_none_is_named(models_dir: Path) -> None:
    version = publish(models_dir, signing_key=SecretStr("another's"))
    served = look(ModelStore(LocalStorage(models_dir), SecretStr("a key of ours")), None)
    assert served.manifest is None and version in served.unknown


def test_a_volume_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    served = look(ModelStore(LocalStorage(tmp_path / "gone")), None)
    assert "models folder cannot be read" in served.unknown


def test_a_folder_that_cannot_be_looked_into_is_unknown(
    models_dir: Path, model_store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = publish(models_dir)
    opened, listed = os.open, os.listdir

    def refuse_open(path: Path, *options: int) -> int:
        if version in Path(path).parts:
            raise PermissionError(13, "Permission denied")
        return opened(path, *options)

    def refuse_list(path: Path) -> list[str]:
        if version in Path(path).parts:
            raise PermissionError(13, "Permission denied")
        return list(listed(path))

    monkeypatch.setattr("os.open", refuse_open)
    monkeypatch.setattr("os.listdir", refuse_list)
    served = look(model_store, None)
    assert version in served.unknown and "Permission denied" in served.unknown


def test_a_version_of_another_schema_is_served_as_any_other(
    models_dir: Path, model_store: ModelStore
) -> None:
    version = publish(models_dir, "penguins")
    for named in (None, version):
        served = look(model_store, named, [version]).manifest
        assert served is not None and served.record_schema == definition("penguins").schema


def test_what_is_served_and_not_on_the_volume_is_unknown(model_store: ModelStore) -> None:
    assert MISSING in look(model_store, None, [MISSING]).unknown
