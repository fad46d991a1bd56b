import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from shared.errors import PlotNotFound, VersionNotFound, VersionNotServable
from shared.schema.passenger import EXAMPLES
from shared.versions import digest
from shared.versions.manifest import (
    MANIFEST_FILE,
    ONNX_FILE,
    PIPELINE_FILE,
    VERSION_PATTERN,
    FileDigest,
    Manifest,
    Plot,
)
from shared.versions.onnx_model import OnnxModel
from shared.versions.store import ModelStore, digests
from tests.support.external_data import PLACES, with_external_data
from tests.support.manifests import VERSION, manifest, write_manifest
from tests.support.records import columns
from tests.support.versions import PLOTS, exported_pipeline, publish

FAR_FUTURE = "29991231-235958-abcdef"


def publish_files(
    store: ModelStore, onnx: bytes, version: str = VERSION, **changes: Any
) -> Manifest:
    """Publishes a version that holds no more than an ONNX file."""
    store.create()
    with store.staging() as staging:
        (staging / ONNX_FILE).write_bytes(onnx)
        changes = {"files": digests(staging), **changes}
        return store.publish(staging, manifest(version, **changes))


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def edit_manifest(version: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """With the digest made anew, so that it is the content that is wrong."""
    path = version / MANIFEST_FILE
    fields = json.loads(digest.check(path.read_bytes(), None))
    change(fields)
    path.write_bytes(digest.add(json.dumps(fields).encode(), None))


# --- publishing and loading ----------------------------------------------------------------------


def test_a_published_version_loads_as_the_model_that_was_published(
    models_dir: Path, model_store: ModelStore
) -> None:
    version = publish(models_dir)
    loaded, model = model_store.load(version)
    labels, probabilities = model.predict(columns(EXAMPLES))
    expected = OnnxModel(exported_pipeline()).predict(columns(EXAMPLES))
    assert labels.tolist() == expected[0].tolist() == [0, 1]
    assert np.array_equal(probabilities, expected[1])
    assert loaded == model_store.manifest(version)
    assert loaded.model_version == version


def test_a_published_version_holds_its_files_with_their_digests_and_nothing_else(
    models_dir: Path,
) -> None:
    version = publish(models_dir)
    assert contents(models_dir) == [version]
    files = {ONNX_FILE, PIPELINE_FILE, *(plot.file for plot in Plot)}
    assert contents(models_dir / version) == sorted({MANIFEST_FILE, *files})
    listed = json.loads((models_dir / version / MANIFEST_FILE).read_text())["files"]
    assert set(listed) == files
    for name, found in listed.items():
        content = (models_dir / version / name).read_bytes()
        assert found == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def test_everything_is_on_disk_before_a_version_has_its_name(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path, model_store: ModelStore
) -> None:
    synced: list[int] = []
    named_at: list[int] = []
    fsync, rename = os.fsync, Path.rename

    def note_sync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def note_rename(path: Path, target: Path) -> Path:
        named_at.append(len(synced))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "rename", note_rename)
    publish_files(model_store, exported_pipeline())
    folder = models_dir / VERSION
    order = [folder / ONNX_FILE, folder / MANIFEST_FILE, folder, models_dir]
    assert synced == [path.stat().st_ino for path in order]
    assert named_at == [3]


@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_volume_that_fails_while_publishing_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path, model_store: ModelStore, call: int
) -> None:
    earlier = write_manifest(models_dir, "20250101-000000-aaaaaa")
    calls = 0
    fsync = os.fsync

    def fail_at_one(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_at_one)
    with pytest.raises(OSError, match="No space left"):
        publish_files(model_store, exported_pipeline())
    assert contents(models_dir) == [earlier]


def test_a_staging_folder_is_gone_afterwards_whatever_happened(
    models_dir: Path, model_store: ModelStore
) -> None:
    model_store.create()
    with pytest.raises(RuntimeError), model_store.staging() as staging:
        assert staging.parent == models_dir
        (staging / ONNX_FILE).write_bytes(b"half")
        raise RuntimeError("stopped")
    assert contents(models_dir) == []


def test_a_volume_that_is_gone_is_not_made_anew_by_a_run(
    models_dir: Path, model_store: ModelStore
) -> None:
    with pytest.raises(OSError, match="No such file"), model_store.staging():
        pass
    assert not models_dir.exists()
    model_store.create()
    model_store.create()
    with model_store.staging() as staging:
        assert staging.parent == models_dir


def test_what_a_killed_worker_left_half_written_is_removed_and_never_listed(
    models_dir: Path, model_store: ModelStore
) -> None:
    model_store.create()
    stack = model_store.staging()
    leftover = stack.__enter__()
    (leftover / MANIFEST_FILE).write_text(manifest().model_dump_json())
    assert list(model_store.manifests()) == []
    with model_store.staging() as staging:
        assert contents(models_dir) == [staging.name]


def test_the_version_of_an_earlier_attempt_stays_as_it_is(
    models_dir: Path, model_store: ModelStore
) -> None:
    first = publish_files(model_store, exported_pipeline(), libraries={"attempt": "1"})
    before = (models_dir / VERSION / MANIFEST_FILE).read_bytes()
    second = publish_files(model_store, exported_pipeline(), libraries={"attempt": "2"})
    assert second == first
    assert second.libraries == {"attempt": "1"}
    assert (models_dir / VERSION / MANIFEST_FILE).read_bytes() == before
    assert contents(models_dir) == [VERSION]


@pytest.mark.parametrize(
    ("onnx", "changes"),
    [
        (b"no model", {}),
        (b"", {}),
        (None, {"files": {}}),
        (None, {"files": {ONNX_FILE: FileDigest(sha256="0" * 64, size=1)}}),
    ],
)
def test_publishing_what_the_api_could_not_read_back_is_an_error(
    model_store: ModelStore, onnx: bytes | None, changes: dict[str, Any]
) -> None:
    with pytest.raises(VersionNotServable, match=VERSION):
        publish_files(model_store, exported_pipeline() if onnx is None else onnx, **changes)


@pytest.mark.parametrize("name", ["../escaped", "current.json", "", "20260102-030405-ABCDEF"])
def test_nothing_is_published_under_a_name_that_is_no_versions(
    models_dir: Path, model_store: ModelStore, name: str
) -> None:
    with pytest.raises(VersionNotFound):
        publish_files(model_store, exported_pipeline(), version=name)
    assert contents(models_dir) == []
    assert not (models_dir.parent / "escaped").exists()


# --- damage --------------------------------------------------------------------------------------


def truncate(version: Path, name: str = ONNX_FILE) -> None:
    path = version / name
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(version: Path) -> None:
    path = version / ONNX_FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def change_all_but_the_size(version: Path) -> None:
    path = version / ONNX_FILE
    path.write_bytes(b"x" * path.stat().st_size)


def overwrite(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(version: Path) -> None:
        (version / name).write_bytes(content)

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda version: (version / name).unlink()


def lie_about_the_size(version: Path) -> None:
    edit_manifest(version, lambda fields: fields["files"][ONNX_FILE].update(size=1))


def forget_the_digest(version: Path) -> None:
    edit_manifest(version, lambda fields: fields["files"].pop(ONNX_FILE))


def rename_in_manifest(version: Path) -> None:
    edit_manifest(version, lambda fields: fields.update(model_version="20200101-000000-000000"))


def change_the_format(version: Path) -> None:
    edit_manifest(version, lambda fields: fields.update(format=2))


def add_a_feature(version: Path) -> None:
    extra = {"name": "Deck", "kind": "category", "required": False}
    edit_manifest(version, lambda fields: fields["inputs"].append(extra))


def allow_more(version: Path) -> None:
    edit_manifest(version, lambda fields: fields["inputs"][0].update(maximum=150))


def turn_the_features_around(version: Path) -> None:
    edit_manifest(version, lambda fields: fields["inputs"].reverse())


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (truncate, ONNX_FILE),
    (flip_a_bit, ONNX_FILE),
    (change_all_but_the_size, ONNX_FILE),
    (overwrite(ONNX_FILE, b""), ONNX_FILE),
    (remove(ONNX_FILE), ONNX_FILE),
    (lie_about_the_size, ONNX_FILE),
    (forget_the_digest, ONNX_FILE),
    (remove(MANIFEST_FILE), MANIFEST_FILE),
    (lambda version: truncate(version, MANIFEST_FILE), MANIFEST_FILE),
    (overwrite(MANIFEST_FILE, b""), MANIFEST_FILE),
    (overwrite(MANIFEST_FILE, b"\xff\xfe"), MANIFEST_FILE),
    (overwrite(MANIFEST_FILE, b"[]"), MANIFEST_FILE),
    (change_the_format, MANIFEST_FILE),
    (rename_in_manifest, "20200101-000000-000000"),
    (add_a_feature, "other features"),
    (allow_more, "other features"),
    (turn_the_features_around, "other features"),
]


@pytest.mark.parametrize(("damage", "named"), DAMAGES)
def test_a_damaged_version_is_refused_with_what_is_wrong_with_it(
    models_dir: Path, model_store: ModelStore, damage: Callable[[Path], None], named: str
) -> None:
    version = publish(models_dir)
    damage(models_dir / version)
    with pytest.raises(VersionNotServable) as refused:
        model_store.load(version)
    assert version in str(refused.value) and named in str(refused.value)


def test_a_sound_file_that_is_no_model_of_this_schema_is_refused(
    models_dir: Path, model_store: ModelStore
) -> None:
    version = models_dir / publish(models_dir)
    (version / ONNX_FILE).write_bytes(b"no model")
    digest = digests(version)[ONNX_FILE].model_dump()
    edit_manifest(version, lambda fields: fields["files"].update({ONNX_FILE: digest}))
    with pytest.raises(VersionNotServable, match=version.name):
        model_store.load(version.name)


@pytest.mark.parametrize("key", [None, SecretStr("a key")])
@pytest.mark.parametrize("name", [MANIFEST_FILE, ONNX_FILE])
def test_a_version_with_a_flipped_bit_is_refused_wherever_it_is(
    models_dir: Path, name: str, key: SecretStr | None
) -> None:
    store = ModelStore(models_dir, key)
    version = publish(models_dir, signing_key=key)
    path = models_dir / version / name
    sound = path.read_bytes()
    for bit in random.Random(4).sample(range(len(sound) * 8), 500):
        damaged = bytearray(sound)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(VersionNotServable, match=version):
            store.load(version)
    path.write_bytes(sound)
    assert store.load(version)[0].model_version == version


@pytest.mark.parametrize("name", [MANIFEST_FILE, ONNX_FILE])
def test_a_version_cut_off_anywhere_is_refused(
    models_dir: Path, model_store: ModelStore, name: str
) -> None:
    version = publish(models_dir)
    path = models_dir / version / name
    sound = path.read_bytes()
    lengths = {*range(0, len(sound), 97), *range(len(sound) - 100, len(sound))}
    for length in lengths:
        path.write_bytes(sound[:length])
        with pytest.raises(VersionNotServable, match=version):
            model_store.load(version)


def test_a_version_from_before_there_were_digests_still_loads(
    models_dir: Path, model_store: ModelStore
) -> None:
    version = publish(models_dir)
    path = models_dir / version / MANIFEST_FILE
    path.write_bytes(digest.check(path.read_bytes(), None))
    assert b"digest" not in path.read_bytes()
    assert model_store.load(version)[0].model_version == version


@pytest.mark.parametrize("place", PLACES)
def test_a_version_with_external_data_is_refused_by_worker_and_api(
    models_dir: Path, model_store: ModelStore, place: str
) -> None:
    with pytest.raises(VersionNotServable, match="external data"):
        publish_files(model_store, PLACES[place]("weights.bin"))
    assert contents(models_dir) == []
    version = models_dir / publish(models_dir)
    (version / ONNX_FILE).write_bytes(with_external_data(exported_pipeline(), "weights.bin"))
    found = digests(version)[ONNX_FILE].model_dump()
    edit_manifest(version, lambda fields: fields["files"].update({ONNX_FILE: found}))
    with pytest.raises(VersionNotServable, match="external data"):
        model_store.load(version.name)


def test_a_volume_that_cannot_even_say_what_it_has_is_an_error_in_words(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path, model_store: ModelStore
) -> None:
    version = publish(models_dir)

    def stale(_: Path) -> bool:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "is_dir", stale)
    with pytest.raises(VersionNotServable, match="Stale file handle"):
        model_store.load(version)


# --- plots ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("plot", Plot)
def test_a_plot_is_read_as_it_was_published(
    models_dir: Path, model_store: ModelStore, plot: Plot
) -> None:
    assert model_store.plot(publish(models_dir), plot.value) == PLOTS[plot]


@pytest.mark.parametrize(
    "damage",
    [
        remove(Plot.ROC.file),
        lambda version: truncate(version, Plot.ROC.file),
        overwrite(Plot.ROC.file, b"<svg/>"),
    ],
)
def test_a_damaged_plot_is_refused_and_the_version_is_not(
    models_dir: Path, model_store: ModelStore, damage: Callable[[Path], None]
) -> None:
    version = publish(models_dir)
    damage(models_dir / version)
    with pytest.raises(VersionNotServable, match=f"{version}: {Plot.ROC.file}"):
        model_store.plot(version, "roc")
    assert model_store.plot(version, "calibration") == PLOTS[Plot.CALIBRATION]
    assert model_store.load(version)[0].model_version == version


def test_a_version_without_plots_is_sound_and_says_so(
    models_dir: Path, model_store: ModelStore
) -> None:
    version = publish(models_dir, plots={})
    assert model_store.load(version)[0].plots == []
    with pytest.raises(PlotNotFound, match="none"):
        model_store.plot(version, "roc")


@pytest.mark.parametrize("name", ["", "ROC", "roc.svg", "../roc", "model", ONNX_FILE, "x" * 5000])
def test_no_other_file_is_read_as_a_plot(
    models_dir: Path, model_store: ModelStore, name: str
) -> None:
    version = publish(models_dir)
    with pytest.raises(PlotNotFound, match="it has roc, precision-recall") as refused:
        model_store.plot(version, name)
    assert len(str(refused.value)) < 300


# --- signatures ----------------------------------------------------------------------------------

KEY, OTHER_KEY = SecretStr("a key of ours"), SecretStr("another's")


def test_with_a_key_what_is_published_is_signed_and_loads(models_dir: Path) -> None:
    version = publish(models_dir, signing_key=KEY)
    assert digest.is_signed((models_dir / version / MANIFEST_FILE).read_bytes())
    assert ModelStore(models_dir, KEY).load(version)[0].model_version == version


@pytest.mark.parametrize(
    ("published_with", "read_with", "why"),
    [
        (None, KEY, "make sign"),
        (OTHER_KEY, KEY, "another key"),
        (KEY, None, "LIFEBOAT_SIGNING_KEY"),
    ],
)
def test_a_version_of_another_key_is_neither_loaded_nor_listed(
    models_dir: Path, published_with: SecretStr | None, read_with: SecretStr | None, why: str
) -> None:
    version = publish(models_dir, signing_key=published_with)
    store = ModelStore(models_dir, read_with)
    with pytest.raises(VersionNotServable, match=why):
        store.load(version)
    assert list(store.manifests()) == []
    assert store.versions() == [version]


def test_a_signed_manifest_moved_to_another_version_is_refused(models_dir: Path) -> None:
    first, second = (publish(models_dir, signing_key=KEY) for _ in range(2))
    shutil.copy(models_dir / first / MANIFEST_FILE, models_dir / second)
    with pytest.raises(VersionNotServable, match=first):
        ModelStore(models_dir, KEY).load(second)


@pytest.mark.parametrize("has_digest", [True, False])
def test_a_version_that_was_there_before_the_key_is_signed_in_place(
    models_dir: Path, has_digest: bool
) -> None:
    version = publish(models_dir)
    path = models_dir / version / MANIFEST_FILE
    if not has_digest:
        path.write_bytes(digest.check(path.read_bytes(), None) + b"\n")
    before, store = ModelStore(models_dir).manifest(version), ModelStore(models_dir, KEY)
    assert store.sign(version)
    signed = path.read_bytes()
    assert store.load(version)[0] == before
    assert not store.sign(version), "it is signed already"
    assert path.read_bytes() == signed
    assert contents(models_dir) == [version]


def forge(version: Path) -> None:
    """As one does who has no key."""
    path = version / MANIFEST_FILE
    path.write_bytes(path.read_bytes().replace(b'"sha256:', b'"hmac-sha256:'))


@pytest.mark.parametrize(
    ("damage", "named"), [*DAMAGES[:7], *DAMAGES[8:12], (forge, "another key")]
)
def test_a_damaged_version_is_not_signed(
    models_dir: Path, damage: Callable[[Path], None], named: str
) -> None:
    version = publish(models_dir)
    damage(models_dir / version)
    path = models_dir / version / MANIFEST_FILE
    before = path.read_bytes()
    with pytest.raises(VersionNotServable, match=named):
        ModelStore(models_dir, KEY).sign(version)
    assert path.read_bytes() == before


def test_a_volume_that_fails_while_signing_leaves_the_version_as_it_was(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path
) -> None:
    version = publish(models_dir)
    before = (models_dir / version / MANIFEST_FILE).read_bytes()

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        ModelStore(models_dir, KEY).sign(version)
    assert (models_dir / version / MANIFEST_FILE).read_bytes() == before
    assert contents(models_dir) == [version]


def test_a_store_does_not_show_its_key() -> None:
    store = ModelStore(Path("models"), KEY)
    assert KEY.get_secret_value() not in repr(store) + repr(vars(store))


# -------------------------------------------------------------------------------------------------


def test_the_scikit_learn_file_is_not_needed_to_serve(
    models_dir: Path, model_store: ModelStore
) -> None:
    version = publish(models_dir)
    (models_dir / version / PIPELINE_FILE).unlink()
    assert model_store.load(version)[0].model_version == version


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
def test_a_name_that_no_version_has_is_not_found_and_never_a_path(
    models_dir: Path, model_store: ModelStore, name: str
) -> None:
    publish_files(model_store, exported_pipeline())
    before = contents(models_dir.parent), contents(models_dir)
    for call in (model_store.manifest, model_store.load, model_store.discard):
        with pytest.raises(VersionNotFound) as refused:
            call(name)
        assert len(str(refused.value)) < 500
    assert (contents(models_dir.parent), contents(models_dir)) == before


def test_a_file_with_a_versions_name_is_no_version(
    models_dir: Path, model_store: ModelStore
) -> None:
    models_dir.mkdir()
    (models_dir / VERSION).write_text("")
    with pytest.raises(VersionNotFound):
        model_store.load(VERSION)
    assert list(model_store.manifests()) == []


# --- listing and names ---------------------------------------------------------------------------


def test_the_sound_versions_are_listed_newest_first(
    models_dir: Path, model_store: ModelStore
) -> None:
    names = [f"2026010{day}-000000-{'f' if day == 1 else '0'}aaaaa" for day in (1, 3, 2)]
    for name in names:
        write_manifest(models_dir, name)
    damaged = write_manifest(models_dir, "20260109-000000-aaaaaa")
    (models_dir / damaged / MANIFEST_FILE).write_text("{")
    (models_dir / "notes").mkdir()
    (models_dir / "current.json").write_text("{}")
    listed = [version.model_version for version in model_store.manifests()]
    assert listed == sorted(names, reverse=True)


def test_a_volume_that_is_not_there_yet_has_no_versions(model_store: ModelStore) -> None:
    assert list(model_store.manifests()) == []
    assert model_store.current() is None
    assert VERSION_PATTERN.fullmatch(model_store.new_version())


def test_names_rise_however_quickly_versions_follow_each_other(
    models_dir: Path, model_store: ModelStore
) -> None:
    names = [write_manifest(models_dir, model_store.new_version()) for _ in range(5)]
    assert names == sorted(names) and len(set(names)) == 5


def test_names_rise_even_when_the_clock_was_set_back(
    models_dir: Path, model_store: ModelStore
) -> None:
    write_manifest(models_dir, "20250101-000000-aaaaaa")
    write_manifest(models_dir, FAR_FUTURE)
    name = model_store.new_version()
    assert name.startswith("29991231-235959-")
    assert VERSION_PATTERN.fullmatch(name)


def test_a_damaged_version_does_not_push_the_names_ahead(
    models_dir: Path, model_store: ModelStore
) -> None:
    write_manifest(models_dir, FAR_FUTURE)
    (models_dir / FAR_FUTURE / MANIFEST_FILE).unlink()
    assert model_store.new_version() < FAR_FUTURE


# --- the choice ----------------------------------------------------------------------------------


def test_the_choice_is_kept_and_can_be_changed(models_dir: Path, model_store: ModelStore) -> None:
    models_dir.mkdir()
    for version in (VERSION, VERSION, FAR_FUTURE):
        model_store.set_current(version)
        assert model_store.current() == version
    assert contents(models_dir) == ["current.json"]
    assert json.loads((models_dir / "current.json").read_text()) == {"model_version": FAR_FUTURE}


def test_the_choice_survives_a_volume_that_is_full(
    monkeypatch: pytest.MonkeyPatch, models_dir: Path, model_store: ModelStore
) -> None:
    models_dir.mkdir()
    model_store.set_current(VERSION)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError):
        model_store.set_current(FAR_FUTURE)
    assert model_store.current() == VERSION
    assert contents(models_dir) == ["current.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'"x"', b'{"model_version": 3}', b"\xff\xfe", b"null"]
)
def test_a_damaged_note_of_the_choice_is_no_choice(
    models_dir: Path, model_store: ModelStore, content: bytes
) -> None:
    models_dir.mkdir()
    (models_dir / "current.json").write_bytes(content)
    assert model_store.current() is None
    model_store.set_current(VERSION)
    assert model_store.current() == VERSION


# --- removing ------------------------------------------------------------------------------------

PROMOTED = [f"2026010{day}-000000-aaaaaa" for day in range(1, 7)]
REJECTED = [f"2026010{day}-000000-bbbbbb" for day in range(1, 7)]


@pytest.fixture
def twelve_versions(models_dir: Path) -> None:
    """Six promoted and six rejected ones, oldest first."""
    for name in PROMOTED:
        write_manifest(models_dir, name)
    for name in REJECTED:
        write_manifest(models_dir, name, "rejected")


@pytest.mark.usefixtures("twelve_versions")
@pytest.mark.parametrize("keep", [1, 2, 6, 10])
def test_the_newest_promoted_versions_are_kept_and_three_rejected_ones(
    models_dir: Path, model_store: ModelStore, keep: int
) -> None:
    removed = model_store.prune(keep, set)
    assert contents(models_dir) == sorted(PROMOTED[-keep:] + REJECTED[-3:])
    assert sorted(removed) == sorted(PROMOTED[:-keep] + REJECTED[:3])


@pytest.mark.usefixtures("twelve_versions")
def test_a_served_version_is_never_removed_however_old(
    models_dir: Path, model_store: ModelStore
) -> None:
    served = {PROMOTED[0], REJECTED[0]}
    model_store.prune(1, lambda: served)
    assert set(contents(models_dir)) == served | {PROMOTED[-1]} | set(REJECTED[-3:])
    assert model_store.prune(1, lambda: served) == []


def test_a_version_chosen_while_others_are_removed_stays(
    models_dir: Path, model_store: ModelStore
) -> None:
    names = [write_manifest(models_dir, f"2026010{day}-000000-aaaaaa") for day in range(1, 5)]
    asked = 0

    def served() -> set[str]:
        nonlocal asked
        asked += 1
        # The oldest is chosen when the first has just been removed.
        return set() if asked == 1 else {names[0]}

    assert model_store.prune(1, served) == [names[2], names[1]]
    assert contents(models_dir) == [names[0], names[3]]


def test_removing_leaves_alone_what_is_no_sound_version(
    models_dir: Path, model_store: ModelStore
) -> None:
    write_manifest(models_dir, VERSION)
    (models_dir / "notes").mkdir()
    model_store.set_current(VERSION)
    model_store.prune(1, set)
    assert contents(models_dir) == [VERSION, "current.json", "notes"]


def test_a_discarded_version_is_gone_whole(models_dir: Path, model_store: ModelStore) -> None:
    version = publish(models_dir)
    model_store.discard(version)
    assert contents(models_dir) == []
    with pytest.raises(VersionNotFound):
        model_store.load(version)


def test_a_copied_volume_serves_what_it_served(models_dir: Path, tmp_path: Path) -> None:
    version = publish(models_dir)
    ModelStore(models_dir).set_current(version)
    shutil.copytree(models_dir, tmp_path / "copy")
    copy = ModelStore(tmp_path / "copy")
    assert copy.current() == version
    assert copy.load(version)[0].model_version == version
