"""A version that was published without this Redis is carried into the version key."""

from shared.versions import current
from shared.versions.storage.local import LocalStorage
from shared.versions.version_key import VersionKey
from tests.support.processes import Stack, wait_for
from tests.support.versions import publish


def test_what_was_published_elsewhere_is_carried_into_the_version_key(stack: Stack) -> None:
    storage = LocalStorage(stack.models_dir)
    older, newer = publish(storage), publish(storage)
    key = VersionKey(stack.redis.client)
    key.choose(older, str)
    api, worker = stack.start_api(), stack.start_worker()
    api.wait_for_version(older)
    wait_for(lambda: current.read(storage) == older, why=worker.output)
    wait_for(key.noted, why=worker.output)

    # As `python -m worker.publish` does at the same store.
    elsewhere = current.replace(storage, newer, current.look(storage))
    api.wait_for_version(newer)
    assert key.get() == newer
    assert current.look(storage) == elsewhere

    # The key is the choice: whoever sets it is followed, and the note rises.
    stack.redis.client.set("lifeboat:version", older)
    api.wait_for_version(older)
    wait_for(lambda: current.read(storage) == older, why=worker.output)
    noted = current.look(storage)
    assert noted is not None and noted.generation == elsewhere.generation + 1
