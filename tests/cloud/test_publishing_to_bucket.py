"""Models that deploy themselves: `python -m worker.publish` at a bucket, without Redis."""

import subprocess
import sys
from pathlib import Path

import obstore
import pytest

from shared.versions import current
from shared.versions.storage.bucket import BucketStorage
from shared.versions.store import ModelStore
from tests.support.processes import LONG_SECONDS, ROOT, Stack, environment_of, free_port, wait_for
from tests.support.versions import publish
from tests.support.weed import BucketServer

_COMMAND = [sys.executable, "-m", "worker.publish"]


@pytest.fixture
def environment(weed: BucketServer, url: str, small_table: str) -> dict[str, str]:
    model = str(ROOT / "examples" / "titanic")
    # The table lies in the bucket, too.
    client = weed.client()
    obstore.put(client, "tables/small.csv", Path(small_table).read_bytes())
    table = f"s3://{weed.bucket}/tables/small.csv"
    settings = {"models": url, "model": model, "training_data": table}
    # The bucket takes seconds on a busy machine.
    patience = {"store_timeout_seconds": "30", "store_load_timeout_seconds": "60"}
    return environment_of(settings | patience | {"redis_url": "none"}) | weed.variables


def _start(environment: dict[str, str], folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*_COMMAND, *arguments],
        env=environment,
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    try:
        told, errors = process.communicate(timeout=2 * LONG_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, told, errors


def _publish(environment: dict[str, str], folder: Path, *arguments: str) -> tuple[int, str, str]:
    return _ended(_start(environment, folder, *arguments))


def test_a_model_reaches_the_servers_that_are_named(
    storage: BucketStorage,
    environment: dict[str, str],
    weed: BucketServer,
    url: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "stack").mkdir()
    stack = Stack(tmp_path / "stack", models=url, redis_url="none")
    stack.environment = weed.variables
    try:
        replicas = [stack.start_api() for _ in range(2)]
        servers = ("--servers", ",".join(api.url for api in replicas))
        status, told, errors = _publish(environment, tmp_path, *servers, "--summary", "summary.md")
        assert status == 0, errors
        first = current.read(storage)
        assert first is not None and told.startswith(f"promoted: {first} is served.")
        assert [api.version() for api in replicas] == [first, first]
        assert "| roc_auc |" in (tmp_path / "summary.md").read_text()

        # A server that does not take it over: what was chosen before is chosen again.
        # It is there for that, however few versions are kept.
        nobody = f"http://127.0.0.1:{free_port()}"
        few = {"LIFEBOAT_KEEP_VERSIONS": "1"}
        status, told, errors = _publish(
            environment | few, tmp_path, "--servers", f"{replicas[0].url},{nobody}", "--wait", "1"
        )
        assert status == 1 and told == "" and f"{first} is chosen again" in errors, errors
        assert current.read(storage) == first
        assert ModelStore(storage).load(first)[0].model_version == first
        for api in replicas:
            wait_for(lambda: api.version() == first, why=api.log)  # noqa: B023
    finally:
        stack.end()


def test_what_the_gate_rejects_is_stored_and_not_chosen(
    storage: BucketStorage, environment: dict[str, str], tmp_path: Path
) -> None:
    served = publish(storage, roc_auc=0.999)
    current.write(storage, served)
    status, told, errors = _publish(environment, tmp_path, "--dry-run")
    assert status == 3, errors
    store = ModelStore(storage)
    assert store.versions() == [served]
    status, told, errors = _publish(environment, tmp_path)
    assert status == 3 and told.startswith("rejected: "), errors
    assert current.read(storage) == served and len(store.versions()) == 2
    status, told, errors = _publish(environment, tmp_path, "--force")
    assert status == 0 and "force was asked for" in told, errors


def test_of_two_publishers_at_once_one_wins_and_the_other_is_gated_again(
    storage: BucketStorage, environment: dict[str, str], tmp_path: Path
) -> None:
    racers = [_start(environment, tmp_path) for _ in range(2)]
    ended = [_ended(racer) for racer in racers]
    assert [status for status, _, _ in ended] == [0, 0], ended
    noted = current.look(storage)
    assert noted is not None and noted.generation == 2
    store = ModelStore(storage)
    manifests = {manifest.model_version: manifest for manifest in store.manifests()}
    # Equal models: both are good enough, and the second was compared with the first.
    last = manifests[str(noted.version)]
    assert len(manifests) == 2 and last.gate.compared_with in manifests
    assert {told.split()[1] for _, told, _ in ended} == set(manifests)


def test_a_table_that_is_not_in_the_bucket_fails_in_words(
    weed: BucketServer, environment: dict[str, str], tmp_path: Path
) -> None:
    missing = {"LIFEBOAT_TRAINING_DATA": f"s3://{weed.bucket}/tables/none.csv"}
    status, told, errors = _publish(environment | missing, tmp_path)
    assert status == 1 and told == "" and "none.csv is not there" in errors, errors


def test_a_store_that_is_away_fails_in_words(
    weed: BucketServer, environment: dict[str, str], tmp_path: Path
) -> None:
    away = {"LIFEBOAT_STORE_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    status, told, errors = _publish(environment | away, tmp_path)
    assert status == 1 and told == "" and "does not answer" in errors, errors
    assert "Traceback" not in errors
