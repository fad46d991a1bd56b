"""The store of versions is tested over each storage there is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.versions.storage.base import Storage
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.bucket_in_memory import bucket_in_memory
from tests.support.memory_storage import MemoryStorage

_KINDS: dict[str, Callable[[Path], Storage]] = {
    "local": LocalStorage,
    "memory": lambda _: MemoryStorage(),
    "bucket": lambda _: bucket_in_memory(),
}


@pytest.fixture(params=_KINDS)
def storage(request: pytest.FixtureRequest, models_dir: Path) -> Storage:
    """A storage that is not prepared yet."""
    return _KINDS[request.param](models_dir)


@pytest.fixture
def model_store(storage: Storage) -> ModelStore:
    return ModelStore(storage)
