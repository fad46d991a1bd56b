"""A choice of a version is noted beside the versions, and the call says so if it is not."""

import pytest

from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.choices import nothing_can_be_noted
from tests.support.processes import Api, Stack, wait_for
from tests.support.versions import publish

pytestmark = pytest.mark.thorough


def _choose(api: Api, version: str) -> bool:
    """Whether the choice is kept; the log says if it is not."""
    before = _warnings(api)
    answer = api.http.put("/models/current", json={"model_version": version})
    body = answer.json()
    assert (answer.status_code, body["model_version"]) == (200, version), answer.text
    api.wait_for_version(version)
    kept: bool = body["kept"]
    assert _warnings(api) == before + (not kept)
    return kept


def _warnings(api: Api) -> int:
    return api.log().count("the choice is in Redis and not on the volume")


def test_a_choice_that_the_worker_cannot_note_is_served_and_is_not_kept(stack: Stack) -> None:
    older, newer = publish(stack.models_dir), publish(stack.models_dir)
    store = ModelStore(LocalStorage(stack.models_dir))
    api = stack.start_api()
    assert not _choose(api, older), "there is no worker yet"
    worker = stack.start_worker()
    wait_for(lambda: store.current() == older, why=worker.output)
    # The worker may take longer than the call waits, on a busy machine.
    wait_for(lambda: _choose(api, newer), why=worker.output)
    assert store.current() == newer

    with nothing_can_be_noted(stack.models_dir):
        assert not _choose(api, older)
        wait_for(lambda: "the version key is not noted on the volume" in worker.output())
    wait_for(lambda: store.current() == older, why=worker.output)
    assert _choose(api, older)
    wait_for(lambda: _choose(api, newer), why=worker.output)
    worker.stop()
    # What is noted already is kept, whoever is there.
    assert _choose(api, newer) and not _choose(api, older)

    stack.redis.stop()
    # As the answer said: what starts without Redis takes what was kept.
    stack.start_api().wait_for_version(newer)
