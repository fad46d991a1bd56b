"""`python -m worker.publish` beside a Redis: a job like any other, under the run lock."""

import subprocess
import sys
from pathlib import Path

from shared.jobs.store import JobStore
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from shared.versions.version_key import VersionKey
from tests.support.processes import ROOT, Stack, environment_of, free_port
from tests.support.versions import publish


def _publish(
    stack: Stack, table: str, folder: Path, *arguments: str, **settings: str
) -> "subprocess.CompletedProcess[str]":
    own = {
        "redis_url": stack.redis.url,
        "models": str(stack.models_dir),
        "model": str(ROOT / "examples" / "titanic"),
        "training_data": table,
    }
    return subprocess.run(
        [sys.executable, "-m", "worker.publish", *arguments],
        env=environment_of(own | settings),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_the_run_is_a_job_and_its_version_reaches_the_servers(
    stack: Stack, small_table: str, tmp_path: Path
) -> None:
    stack.models_dir.mkdir()
    api = stack.start_api()
    done = _publish(stack, small_table, tmp_path, "--servers", api.url)
    assert done.returncode == 0, done.stderr
    version = api.version()
    assert done.stdout.startswith(f"promoted: {version} is served.")
    (job,) = api.http.get("/jobs").json()["jobs"]
    assert (job["status"], job["requested_by"]) == ("succeeded", "worker.publish")
    assert job["result"]["model_version"] == VersionKey(stack.redis.client).get() == version


def test_what_servers_do_not_take_over_is_put_back_however_few_versions_are_kept(
    stack: Stack, small_table: str, tmp_path: Path
) -> None:
    served = publish(stack.models_dir, roc_auc=0.5)
    key = VersionKey(stack.redis.client)
    key.choose(served, str)
    nobody = f"http://127.0.0.1:{free_port()}"
    done = _publish(
        stack, small_table, tmp_path, "--servers", nobody, "--wait", "1", keep_versions="1"
    )
    assert done.returncode == 1 and f"{served} is chosen again" in done.stderr, done.stderr
    assert key.get() == served
    assert ModelStore(LocalStorage(stack.models_dir)).load(served)[0].model_version == served


def test_while_another_run_is_queued_nothing_is_trained(
    stack: Stack, small_table: str, tmp_path: Path
) -> None:
    job, _ = JobStore(stack.redis.client).create(force=False)
    done = _publish(stack, small_table, tmp_path)
    assert done.returncode == 1 and f"job {job.job_id} is queued" in done.stderr, done.stderr
    assert not stack.models_dir.exists()


def test_a_redis_that_is_away_fails_in_words(
    stack: Stack, small_table: str, tmp_path: Path
) -> None:
    stack.redis.stop()
    done = _publish(stack, small_table, tmp_path)
    assert done.returncode == 1 and "Redis does not answer" in done.stderr
    assert "Traceback" not in done.stderr
