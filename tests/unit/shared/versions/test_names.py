import pytest

from shared.errors import VersionNotFound
from shared.versions import names
from shared.versions.manifest import MANIFEST_FILE, VERSION_PATTERN
from shared.versions.storage.base import Storage
from shared.versions.store import ModelStore
from tests.support.manifests import VERSION, write_manifest

FAR_FUTURE = "29991231-235958-abcdef"


def test_names_rise_however_quickly_versions_follow_each_other(
    storage: Storage, model_store: ModelStore
) -> None:
    versions = [write_manifest(storage, model_store.new_version()) for _ in range(5)]
    assert versions == sorted(versions) and len(set(versions)) == 5


def test_names_rise_even_when_the_clock_was_set_back(
    storage: Storage, model_store: ModelStore
) -> None:
    write_manifest(storage, "20250101-000000-aaaaaa")
    write_manifest(storage, FAR_FUTURE)
    name = model_store.new_version()
    assert name.startswith("29991231-235959-")
    assert VERSION_PATTERN.fullmatch(name)


def test_a_damaged_version_does_not_push_the_names_ahead(
    storage: Storage, model_store: ModelStore
) -> None:
    write_manifest(storage, FAR_FUTURE)
    storage.delete(f"{FAR_FUTURE}/{MANIFEST_FILE}")
    assert model_store.new_version() < FAR_FUTURE


@pytest.mark.parametrize("no_time", ["99999999-999999-abcdef", "99991231-235959-abcdef"])
def test_a_name_that_is_no_time_or_the_last_one_is_passed_over(no_time: str) -> None:
    assert names.later_than([no_time, FAR_FUTURE]).startswith("29991231-235959-")
    assert VERSION_PATTERN.fullmatch(names.later_than([no_time]))


def test_a_name_is_checked_before_it_is_used() -> None:
    assert names.checked(VERSION) == VERSION
    with pytest.raises(VersionNotFound, match="GET /models"):
        names.checked("../escaped")
