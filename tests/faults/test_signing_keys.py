"""Signing keys are set and changed while clients predict; a mistake costs no prediction either."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.processes import RUN_SECONDS, Api, Stack, environment_of, wait_for
from tests.support.rolling_restart import ABORTED, restart
from tests.support.steady_client import predict_meanwhile
from tests.support.versions import publish

pytestmark = pytest.mark.thorough

_OLD, _NEW = "the old key", "the new key"
_PROCESSES = 2


class Keys:
    """The files of a stack's keys."""

    def __init__(self, folder: Path) -> None:
        self._present, self._old = folder / "signing-key", folder / "signing-keys-old"
        self.settings: Any = {
            "signing_key_file": str(self._present),
            "signing_keys_old_file": str(self._old),
        }
        """Of API and worker."""

    def write(self, present: str, *old: str) -> None:
        self._present.write_text(present)
        self._old.write_text("\n".join(old))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    keys = Keys(tmp_path)
    keys.write(_OLD)
    return keys


def _sign(stack: Stack, keys: Keys) -> None:
    settings = {"models_dir": str(stack.models_dir), **keys.settings}
    subprocess.run(
        [sys.executable, "-m", "worker.sign"],
        cwd=stack.folder,
        env=environment_of(settings),
        check=True,
    )


def _roll(api: Api) -> None:
    restart(lambda: api.send(signal.SIGHUP), api.log, processes=_PROCESSES)


def _restart_in_vain(api: Api) -> None:
    before = api.log().count(ABORTED)
    api.send(signal.SIGHUP)
    wait_for(lambda: api.log().count(ABORTED) > before, seconds=RUN_SECONDS, why=api.log)


def test_a_key_is_changed_and_neither_the_steps_nor_mistakes_cost_a_prediction(
    stack: Stack, keys: Keys
) -> None:
    version = publish(stack.models_dir, signing_key=SecretStr(_OLD))
    api = stack.start_api(processes=_PROCESSES, **keys.settings)

    def change() -> None:
        # No process can start.
        keys.write("")
        _restart_in_vain(api)
        # A process starts and can read nothing.
        keys.write(_NEW)
        _restart_in_vain(api)
        assert "expected to serve what the other processes serve" in api.log()
        # As documented.
        keys.write(_NEW, _OLD)
        _roll(api)
        _sign(stack, keys)
        keys.write(_NEW)
        _roll(api)

    clients = predict_meanwhile(api.port, change)
    assert [client.failures() for client in clients] == [[]] * len(clients)
    assert api.version() == version
    storage = LocalStorage(stack.models_dir)
    assert ModelStore(storage, SecretStr(_NEW)).manifest(version)


def test_a_first_key_is_set_as_documented_and_both_sides_serve_on(stack: Stack) -> None:
    keys = Keys(stack.folder)
    version = publish(stack.models_dir)
    before = stack.start_api()
    keys.write(_NEW)
    _sign(stack, keys)
    after = stack.start_api(**keys.settings)
    assert (before.version(), after.version()) == (version, version)
    # The worker with the key finds a version that it can read, and trains nothing by itself.
    stack.start_worker(**keys.settings)
    job = after.wait_for_end(after.run_pipeline())
    assert job["status"] == "succeeded" and job["attempts"] == 1, job
    assert len(after.http.get("/jobs").json()["jobs"]) == 1


def test_a_worker_that_cannot_read_what_is_served_waits_for_a_person(stack: Stack) -> None:
    version = publish(stack.models_dir)
    api = stack.start_api()
    keys = Keys(stack.folder)
    keys.write(_NEW)
    worker = stack.start_worker(**keys.settings)
    wait_for(lambda: "none is trained without being asked for" in worker.output())
    assert api.http.get("/jobs").json() == {"jobs": []}
    job = api.wait_for_end(api.run_pipeline())
    result = job["result"]
    assert isinstance(result, dict)
    assert result["outcome"] == "rejected" and version in result["reason"], result
    assert api.version() == version
