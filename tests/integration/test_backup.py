"""`python -m worker.backup` and `python -m worker.restore`, beside a running API."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.jobs.job import Stage
from shared.runtime.redis_keys import VERSION
from shared.versions import current
from shared.versions.storage.local import LocalStorage
from tests.support.held_runs import HeldRuns
from tests.support.processes import LONG_SECONDS, Stack, environment_of, wait_for
from tests.support.versions import publish

KEY = "a key of ours"


def _run(
    module: str,
    stack: Stack,
    given: bytes = b"",
    *,
    folder: Path | None = None,
    key: str | None = None,
) -> tuple[int, bytes, str]:
    """Exit status, standard output, and all that was said."""
    settings = {"redis_url": stack.redis.url, "models_dir": str(folder or stack.models_dir)}
    if key is not None:
        settings["signing_key"] = key
    result = subprocess.run(
        [sys.executable, "-m", module],
        cwd=stack.folder,
        env=environment_of(settings),
        input=given,
        capture_output=True,
        timeout=LONG_SECONDS,
    )
    said = result.stderr.decode() + ("" if module == "worker.backup" else result.stdout.decode())
    return result.returncode, result.stdout, said


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A models folder with two versions, the older of them chosen."""
    folder = tmp_path / "elsewhere"
    chosen, _ = publish(folder), publish(folder)
    current.write(LocalStorage(folder), chosen)
    return folder


def _backup(stack: Stack, folder: Path, key: str | None = None) -> bytes:
    status, archive, said = _run("worker.backup", stack, folder=folder, key=key)
    assert status == 0, said
    return archive


@pytest.mark.thorough
def test_the_first_run_of_a_fresh_stack_does_not_take_the_place_of_what_is_restored(
    stack: Stack, held_runs: HeldRuns, elsewhere: Path
) -> None:
    archive, chosen = _backup(stack, elsewhere), current.read(LocalStorage(elsewhere))
    assert chosen is not None
    api = stack.start_api()
    held_runs.hold_at(Stage.FIT)
    worker = stack.start_worker()
    wait_for(held_runs.is_any_held)
    (first,) = api.http.get("/jobs").json()["jobs"]
    worker.stop()
    status, _, said = _run("worker.restore", stack, archive)
    assert status == 0, said
    api.wait_for_version(chosen)
    assert api.job(first["job_id"])["status"] == "cancelled"

    held_runs.let_go()
    worker = stack.start_worker()
    worker.stop()
    assert [job["job_id"] for job in api.http.get("/jobs").json()["jobs"]] == [first["job_id"]]
    assert api.version() == chosen == stack.redis.client.get(VERSION)
    assert current.read(LocalStorage(stack.models_dir)) == chosen


def test_onto_an_older_stack_the_choice_changes_and_its_versions_stay(
    stack: Stack, elsewhere: Path
) -> None:
    archive, chosen = _backup(stack, elsewhere), current.read(LocalStorage(elsewhere))
    assert chosen is not None
    older = publish(stack.models_dir)
    stack.redis.client.set(VERSION, older)
    api = stack.start_api()
    api.wait_for_version(older)
    assert _run("worker.restore", stack, archive)[0] == 0
    api.wait_for_version(chosen)
    assert len(api.http.get("/models").json()["versions"]) == 3
    assert api.http.put("/models/current", json={"model_version": older}).status_code == 200
    # Again: all of it is there, and the choice is the backup's again.
    status, _, said = _run("worker.restore", stack, archive)
    assert (status, said.count("is there already")) == (0, 2)
    api.wait_for_version(chosen)


@pytest.mark.parametrize(
    "signed_with", [None, pytest.param("another's", marks=pytest.mark.thorough)]
)
def test_with_another_signing_key_nothing_changes_and_the_key_is_named(
    stack: Stack, tmp_path: Path, signed_with: str | None
) -> None:
    key = SecretStr(signed_with) if signed_with else None
    folder = tmp_path / "signed"
    current.write(LocalStorage(folder), publish(folder, signing_key=key))
    archive = _backup(stack, folder, signed_with)
    served = publish(stack.models_dir, signing_key=SecretStr(KEY))
    stack.redis.client.set(VERSION, served)
    status, _, said = _run("worker.restore", stack, archive, key=KEY)
    assert (status, "LIFEBOAT_SIGNING_KEY" in said) == (1, True)
    assert KEY not in said and "another's" not in said
    assert stack.redis.client.get(VERSION) == served
    assert os.listdir(stack.models_dir) == [served]


def test_of_a_backup_without_the_choice_the_versions_are_restored(
    stack: Stack, elsewhere: Path
) -> None:
    (elsewhere / current.KEY).unlink()
    archive = _backup(stack, elsewhere)
    stack.redis.client.set(VERSION, served := publish(stack.models_dir))
    status, _, said = _run("worker.restore", stack, archive)
    assert (status, said.count(": restored")) == (0, 2)
    assert "the choice stays" in said
    assert stack.redis.client.get(VERSION) == served


def test_what_cannot_be_restored_is_said_in_a_sentence(stack: Stack, elsewhere: Path) -> None:
    archive = _backup(stack, elsewhere)
    status, _, said = _run("worker.restore", stack, b"not a tar")
    assert (status, "expected a whole backup" in said) == (2, True)
    stack.redis.stop()
    status, _, said = _run("worker.restore", stack, archive)
    assert (status, "Redis does not answer" in said) == (2, True)
    assert list(stack.models_dir.iterdir()) == [] and "Traceback" not in said
