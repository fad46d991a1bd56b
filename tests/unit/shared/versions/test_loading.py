"""A version loads as it was published, and is refused with what is wrong with it otherwise."""

import random
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from shared.errors import PlotNotFound, VersionNotFound, VersionNotServable
from shared.versions import digest
from shared.versions.manifest import MANIFEST_FILE, ONNX_FILE, PIPELINE_FILE, Plot
from shared.versions.onnx_model import OnnxModel
from shared.versions.reader import digests
from shared.versions.storage.base import Storage
from shared.versions.store import ModelStore
from tests.support.external_data import PLACES, with_external_data
from tests.support.manifests import VERSION, publish_files
from tests.support.records import columns
from tests.support.stored import (
    DAMAGED_FILES,
    DAMAGED_MANIFESTS,
    MISSING_MANIFEST,
    OTHER_MANIFESTS,
    Damage,
    contents,
    edit_manifest,
    overwrite,
    put,
    remove,
    truncate,
)
from tests.support.titanic import EXAMPLES, SCHEMA
from tests.support.versions import PLOTS, exported_pipeline, publish

STALE = OSError(116, "Stale file handle")


def test_a_published_version_loads_as_the_model_that_was_published(
    storage: Storage, model_store: ModelStore
) -> None:
    version = publish(storage)
    loaded, model = model_store.load(version)
    answer = model.predict(columns(EXAMPLES))
    expected = OnnxModel(exported_pipeline(), SCHEMA).predict(columns(EXAMPLES))
    assert answer.codes is not None and expected.codes is not None
    assert answer.codes.tolist() == expected.codes.tolist() == [0, 1]
    assert answer.probabilities is not None and expected.probabilities is not None
    assert np.array_equal(answer.probabilities, expected.probabilities)
    assert loaded == model_store.manifest(version)
    assert loaded.model_version == version


def test_the_scikit_learn_file_is_not_needed_to_serve(
    storage: Storage, model_store: ModelStore
) -> None:
    version = publish(storage)
    storage.delete(f"{version}/{PIPELINE_FILE}")
    assert model_store.load(version)[0].model_version == version


# --- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "named"), [*DAMAGED_FILES, MISSING_MANIFEST, *DAMAGED_MANIFESTS, *OTHER_MANIFESTS]
)
def test_a_damaged_version_is_refused_with_what_is_wrong_with_it(
    storage: Storage, model_store: ModelStore, damage: Damage, named: str
) -> None:
    version = publish(storage)
    damage(storage, version)
    with pytest.raises(VersionNotServable) as refused:
        model_store.load(version)
    assert version in str(refused.value) and named in str(refused.value)


def _put_model(storage: Storage, version: str, content: bytes) -> None:
    """With its digest in the manifest."""
    put(storage, f"{version}/{ONNX_FILE}", content)
    found = digests({ONNX_FILE: content})[ONNX_FILE].model_dump()
    edit_manifest(storage, version, lambda fields: fields["files"].update({ONNX_FILE: found}))


def test_a_sound_file_that_is_no_model_of_this_schema_is_refused(
    storage: Storage, model_store: ModelStore
) -> None:
    version = publish(storage)
    _put_model(storage, version, b"no model")
    with pytest.raises(VersionNotServable, match=version):
        model_store.load(version)


@pytest.mark.parametrize("place", PLACES)
def test_a_version_with_external_data_is_refused(
    storage: Storage, model_store: ModelStore, place: str
) -> None:
    version = publish(storage)
    for content in (
        PLACES[place]("weights.bin"),
        with_external_data(exported_pipeline(), "weights.bin"),
    ):
        _put_model(storage, version, content)
        with pytest.raises(VersionNotServable, match="external data"):
            model_store.load(version)


@pytest.mark.parametrize("key", [None, SecretStr("a key")])
@pytest.mark.parametrize("name", [MANIFEST_FILE, ONNX_FILE])
def test_a_version_with_a_flipped_bit_is_refused_wherever_it_is(
    storage: Storage, name: str, key: SecretStr | None
) -> None:
    store = ModelStore(storage, key)
    version = publish(storage, signing_key=key)
    sound = storage.read(f"{version}/{name}")
    for bit in random.Random(4).sample(range(len(sound) * 8), 500):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        put(storage, f"{version}/{name}", bytes(damaged))
        with pytest.raises(VersionNotServable, match=version):
            store.load(version)
    put(storage, f"{version}/{name}", sound)
    assert store.load(version)[0].model_version == version


@pytest.mark.parametrize("name", [MANIFEST_FILE, ONNX_FILE])
def test_a_version_cut_off_anywhere_is_refused(
    storage: Storage, model_store: ModelStore, name: str
) -> None:
    version = publish(storage)
    sound = storage.read(f"{version}/{name}")
    lengths = {*range(0, len(sound), 97), *range(len(sound) - 100, len(sound))}
    for length in lengths:
        put(storage, f"{version}/{name}", sound[:length])
        with pytest.raises(VersionNotServable, match=version):
            model_store.load(version)


def test_a_version_from_before_there_were_digests_still_loads(
    storage: Storage, model_store: ModelStore
) -> None:
    version = publish(storage)
    key = f"{version}/{MANIFEST_FILE}"
    put(storage, key, digest.check(storage.read(key)))
    assert b"digest" not in storage.read(key)
    assert model_store.load(version)[0].model_version == version


@pytest.mark.parametrize("names_the_keys", [True, False])
def test_a_storage_that_does_not_answer_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch,
    storage: Storage,
    model_store: ModelStore,
    names_the_keys: bool,
) -> None:
    version = publish(storage)

    def stale(_: str = "") -> Any:
        raise STALE

    if names_the_keys:
        monkeypatch.setattr(storage, "read", stale)
    else:
        storage.delete(f"{version}/{MANIFEST_FILE}")
    monkeypatch.setattr(storage, "list_keys", stale)
    with pytest.raises(VersionNotServable, match="Stale file handle"):
        model_store.load(version)
    assert model_store.versions() == []
    assert model_store.current() is None


# --- plots ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_is_read_as_it_was_published(
    storage: Storage, model_store: ModelStore, plot: Plot
) -> None:
    assert model_store.plot(publish(storage), plot.value) == PLOTS[plot]


@pytest.mark.parametrize(
    "damage",
    [remove(Plot.ROC.file), truncate(Plot.ROC.file), overwrite(Plot.ROC.file, b"<svg/>")],
)
def test_a_damaged_plot_is_refused_and_the_version_is_not(
    storage: Storage, model_store: ModelStore, damage: Damage
) -> None:
    version = publish(storage)
    damage(storage, version)
    with pytest.raises(VersionNotServable, match=f"{version}: {Plot.ROC.file}"):
        model_store.plot(version, "roc")
    assert model_store.plot(version, "calibration") == PLOTS[Plot.CALIBRATION]
    assert model_store.load(version)[0].model_version == version


def test_a_version_without_plots_is_sound_and_says_so(
    storage: Storage, model_store: ModelStore
) -> None:
    version = publish(storage, plots={})
    assert model_store.load(version)[0].plots == []
    with pytest.raises(PlotNotFound, match="none"):
        model_store.plot(version, "roc")


@pytest.mark.parametrize("name", ["", "ROC", "roc.svg", "../roc", "model", ONNX_FILE, "x" * 5000])
def test_no_other_file_is_read_as_a_plot(
    storage: Storage, model_store: ModelStore, name: str
) -> None:
    version = publish(storage)
    with pytest.raises(PlotNotFound, match="it has roc, precision-recall") as refused:
        model_store.plot(version, name)
    assert len(str(refused.value)) < 300


# --- names that no version has -------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/",
        "/etc/passwd",
        "current.json",
        f"../models/{VERSION}",
        f"{VERSION}/",
        f"{VERSION}/../{VERSION}",
        f"{VERSION}\n",
        f"{VERSION}\0",
        VERSION.upper(),
        "\ud800",
        "x" * 10_000,
        # Well made, but not there.
        "20200101-000000-000000",
    ],
)
def test_a_name_that_no_version_has_is_not_found_and_never_a_key(
    storage: Storage, model_store: ModelStore, name: str
) -> None:
    publish_files(model_store, exported_pipeline())
    before = contents(storage)
    for call in (model_store.manifest, model_store.load, model_store.discard):
        with pytest.raises(VersionNotFound) as refused:
            call(name)
        assert len(str(refused.value)) < 500
    assert contents(storage) == before


def test_a_file_with_a_versions_name_is_no_version(
    storage: Storage, model_store: ModelStore
) -> None:
    put(storage, VERSION, b"")
    with pytest.raises(VersionNotFound):
        model_store.load(VERSION)
    with pytest.raises(VersionNotFound):
        model_store.discard(VERSION)
    assert list(model_store.manifests()) == []
    assert contents(storage) == [VERSION]
