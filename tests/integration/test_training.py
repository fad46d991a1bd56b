"""What a run makes of its data: a first model, a rejected candidate, an error to act on."""

import contextlib
import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from shared.jobs.job import Stage
from shared.runtime.redis_keys import VERSION
from tests.support.contract import ORIGINAL_REQUEST
from tests.support.examples import publish_example
from tests.support.held_runs import HeldRuns
from tests.support.processes import Stack, wait_for
from tests.support.versions import TRAINING_DATA, publish


@pytest.fixture
def table(tmp_path: Path, small_table: str) -> Path:
    """A training table that a test changes between runs."""
    path = tmp_path / "table.csv"
    path.write_bytes(Path(small_table).read_bytes())
    return path


def test_the_first_start_trains_a_model_by_itself_and_answers_as_the_original_service(
    stack: Stack,
) -> None:
    stack.start_worker(training_data=TRAINING_DATA)
    api = stack.start_api(processes=2)
    (job,) = api.http.get("/jobs").json()["jobs"]
    end = api.wait_for_end(job["job_id"])
    result = end["result"]
    assert isinstance(result, dict), end
    wait_for(lambda: api.version_everywhere() == result["model_version"])
    answer = api.http.post("/predict", json=ORIGINAL_REQUEST)
    assert answer.json()["predictions"] == [0, 1]
    assert end["requested_by"] == "first start" and end["worker"] and not end["forced"]
    assert result["metrics"]["roc_auc"]["mean"] >= 0.86
    assert result["metrics"]["accuracy"]["mean"] >= 0.815


@pytest.mark.thorough
def test_a_definition_that_no_version_has_is_trained_and_not_served_over_another(
    stack: Stack, table: Path
) -> None:
    served = publish_example(stack.models_dir, "penguins")
    stack.redis.client.set(VERSION, served)
    stack.start_worker(training_data=str(table))
    api = stack.start_api()
    wait_for(lambda: api.http.get("/jobs").json()["jobs"], why="no run was asked for")
    (job,) = api.http.get("/jobs").json()["jobs"]
    end = api.wait_for_end(job["job_id"])
    result = end["result"]
    assert isinstance(result, dict), end
    assert (end["requested_by"], result["outcome"]) == ("first start", "rejected")
    assert "the target was species and is Survived" in result["reason"]
    assert api.version() == served


def test_a_worse_candidate_is_stored_but_served_only_by_force(stack: Stack, table: Path) -> None:
    served = publish(stack.models_dir, roc_auc=0.99)
    stack.redis.client.set(VERSION, served)
    stack.start_worker(training_data=str(table))
    api = stack.start_api()

    rejected = api.wait_for_end(api.run_pipeline())
    result = rejected["result"]
    assert isinstance(result, dict)
    assert (rejected["status"], result["outcome"]) == ("succeeded", "rejected")
    assert served in result["reason"] and "different data" in result["reason"]
    assert api.version() == served
    stored = api.http.get(f"/models/{result['model_version']}").json()
    assert stored["gate"]["outcome"] == "rejected"

    api.http.put("/models/current", json={"model_version": result["model_version"]})
    api.wait_for_version(result["model_version"])
    api.http.put("/models/current", json={"model_version": served})
    api.wait_for_version(served)

    forced = api.wait_for_end(api.run_pipeline(force=True))["result"]
    assert isinstance(forced, dict)
    assert forced["outcome"] == "promoted" and "force" in forced["reason"]
    api.wait_for_version(forced["model_version"])


@pytest.mark.thorough
def test_force_holds_for_a_run_in_flight(stack: Stack, held_runs: HeldRuns) -> None:
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.99))
    stack.start_worker()
    api = stack.start_api()
    held_runs.hold_at(Stage.FIT)
    job_id = api.run_pipeline()
    wait_for(held_runs.is_any_held)
    assert api.run_pipeline(force=True) == job_id
    held_runs.let_go()
    result = api.wait_for_end(job_id)["result"]
    assert isinstance(result, dict)
    assert result["outcome"] == "promoted"


def test_bad_data_fails_the_job_with_what_to_do_and_publishes_nothing(
    stack: Stack, table: Path
) -> None:
    served = publish(stack.models_dir)
    stack.redis.client.set(VERSION, served)
    stack.start_worker(training_data=str(table))
    api = stack.start_api()

    frame = pd.read_csv(table)
    frame.drop(columns="Fare").to_csv(table, index=False)
    job = api.wait_for_end(api.run_pipeline())
    assert (job["status"], job["stage"], job["result"]) == ("failed", "load", None)
    assert "lacks the column Fare" in str(job["error"])

    table.unlink()
    job = api.wait_for_end(api.run_pipeline())
    assert job["status"] == "failed"
    assert "No such file" in str(job["error"]) and "LIFEBOAT_TRAINING_DATA" in str(job["error"])

    # The file is read anew by each run: mended, the next one succeeds.
    frame.to_csv(table, index=False)
    assert api.version() == served
    assert api.wait_for_end(api.run_pipeline(force=True))["status"] == "succeeded"


@pytest.mark.thorough
def test_the_training_table_may_come_from_a_url_as_parquet(stack: Stack, table: Path) -> None:
    publish(stack.models_dir, roc_auc=0.5)
    pd.read_csv(table).to_parquet(table.with_suffix(".parquet"))
    with _file_server(table.parent) as url:
        stack.start_worker(training_data=f"{url}/table.parquet")
        api = stack.start_api()
        result = api.wait_for_end(api.run_pipeline())["result"]
        assert isinstance(result, dict)
        manifest = api.http.get(f"/models/{result['model_version']}").json()
        assert manifest["data"]["source"] == f"{url}/table.parquet"
        assert manifest["data"]["rows"] == 150

        table.with_suffix(".parquet").unlink()
        job = api.wait_for_end(api.run_pipeline())
        assert "answered 404" in str(job["error"])


@pytest.mark.thorough
def test_a_run_is_cancelled_while_nothing_comes_out_of_its_pipe(
    stack: Stack, tmp_path: Path
) -> None:
    publish(stack.models_dir)
    os.mkfifo(tmp_path / "pipe")
    stack.start_worker(training_data=str(tmp_path / "pipe"))
    api = stack.start_api()
    job_id = api.run_pipeline()
    wait_for(lambda: api.http.get(f"/jobs/{job_id}").json()["stage"] == "load")
    api.http.delete(f"/jobs/{job_id}")
    assert api.wait_for_end(job_id)["status"] == "cancelled"


@pytest.mark.thorough
def test_old_versions_are_removed_but_never_the_served_one(stack: Stack) -> None:
    served = publish(stack.models_dir, roc_auc=0.99)
    promoted = [publish(stack.models_dir) for _ in range(3)]
    rejected = [publish(stack.models_dir, outcome="rejected") for _ in range(3)]
    stack.redis.client.set(VERSION, served)
    stack.start_worker(keep_versions="2")
    api = stack.start_api()
    result = api.wait_for_end(api.run_pipeline())["result"]
    assert isinstance(result, dict) and result["outcome"] == "rejected"

    def versions() -> set[str]:
        models = api.http.get("/models").json()["versions"]
        return {version["model_version"] for version in models}

    kept = {served, *promoted[1:], *rejected[1:], result["model_version"]}
    wait_for(lambda: versions() == kept, why="the worker clears away after the job has ended")


@contextlib.contextmanager
def _file_server(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
