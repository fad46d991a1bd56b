"""Rows of the contract that need a Lifeboat in a state of its own."""

import pytest

from tests.support.patience import within_the_contracts_time
from tests.support.processes import Stack, wait_for
from tests.support.versions import publish


def test_before_the_first_model_everything_says_so(stack: Stack) -> None:
    api = stack.start_api()
    answer = api.predict()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "PUT /run-pipeline" in answer.json()["detail"]
    assert api.http.get("/health/ready").status_code == 503
    assert api.http.get("/health/live").status_code == 200
    assert api.http.get("/models").json() == {"serving": None, "versions": []}


def test_a_queued_job_is_put_once_and_cancelled_at_once(stack: Stack) -> None:
    api = stack.start_api()
    job_id = api.run_pipeline()
    assert api.run_pipeline() == job_id
    answer = api.http.delete(f"/jobs/{job_id}")
    assert answer.status_code == 202
    assert answer.json()["status"] == "cancelled"
    assert api.run_pipeline() != job_id


@pytest.mark.parametrize("processes", [1, 2])
def test_an_open_event_stream_ends_when_the_process_is_stopped(
    stack: Stack, processes: int
) -> None:
    api = stack.start_api(processes=processes)
    job_id = api.run_pipeline()
    with api.http.stream("GET", f"/jobs/{job_id}/events") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("id: ")
        api.ask_to_stop()
        # Ends as a stream should, not by a broken connection.
        assert not [line for line in lines if "error" in line and '"error":null' not in line]
    wait_for(lambda: "Finished server process" in api.log())
    assert "Traceback" not in api.log()


def test_a_damaged_plot_is_refused_and_its_version_served(stack: Stack) -> None:
    version = publish(stack.models_dir)
    picture = stack.models_dir / version / "plot-roc.svg"
    content = bytearray(picture.read_bytes())
    content[len(content) // 2] ^= 1
    picture.write_bytes(content)
    api = stack.start_api()
    answer = api.http.get(f"/models/{version}/plots/roc")
    assert answer.status_code == 409
    assert "plot-roc.svg" in answer.json()["detail"]
    assert api.http.get(f"/models/{version}/plots/calibration").status_code == 200
    assert api.version() == version


@pytest.mark.thorough
def test_a_job_tells_who_asked_for_it_whether_by_force_and_who_runs_it(stack: Stack) -> None:
    api = stack.start_api()
    answer = api.http.put("/run-pipeline", headers={"X-Requested-By": "ada@example"})
    queued = api.job(answer.json()["job_id"])
    assert (queued["requested_by"], queued["forced"]) == ("ada@example", False)
    assert queued["worker"] is None
    # It stays hers; the force is whoever's.
    headers = {"X-Requested-By": "page"}
    api.http.put("/run-pipeline", params={"force": "true"}, headers=headers)
    stack.start_worker()
    end = api.wait_for_end(str(queued["job_id"]))
    assert (end["requested_by"], end["forced"]) == ("ada@example", True)
    assert str(end["worker"]).startswith("celery@worker-")
    assert api.job(api.run_pipeline())["requested_by"] is None


def test_a_damaged_version_cannot_be_chosen(stack: Stack) -> None:
    good, damaged = publish(stack.models_dir), publish(stack.models_dir)
    with (stack.models_dir / damaged / "model.onnx").open("r+b") as model:
        model.truncate(1000)
    stack.redis.client.set("lifeboat:version", good)
    api = stack.start_api()
    answer = api.http.put("/models/current", json={"model_version": damaged})
    assert answer.status_code == 409
    assert "model.onnx" in answer.json()["detail"]
    assert api.version() == good


def test_with_a_key_configured_every_change_and_the_metrics_need_it(stack: Stack) -> None:
    publish(stack.models_dir)
    api = stack.start_api(api_key="sesame")
    calls = [
        ("PUT", "/run-pipeline"),
        ("DELETE", f"/jobs/{'0' * 32}"),
        ("PUT", "/models/current"),
        ("GET", "/metrics"),
    ]
    for method, path in calls:
        body = {"model_version": "x"}
        assert api.http.request(method, path, json=body).status_code == 401
        for headers in ({"X-API-Key": "simsim"}, {"Authorization": "Bearer simsim"}):
            answer = api.http.request(method, path, json=body, headers=headers)
            assert answer.status_code == 403
        for headers in ({"X-API-Key": "sesame"}, {"Authorization": "Bearer sesame"}):
            answer = api.http.request(method, path, json=body, headers=headers)
            assert answer.status_code in (200, 202, 404)
    assert api.predict().status_code == 200
    assert api.http.get("/jobs").status_code == 200


@pytest.mark.thorough
def test_a_start_that_others_can_reach_without_a_key_is_warned_of_once(stack: Stack) -> None:
    api = stack.start_api(processes=2, host="0.0.0.0")
    (said,) = [line for line in api.log().splitlines() if "LIFEBOAT_API_KEY" in line]
    assert "WARNING" in said
    assert "DNS rebinding" in stack.start_api().log()
    assert "LIFEBOAT_API_KEY" not in stack.start_api(allowed_hosts="localhost").log()


@pytest.mark.parametrize("fault", ["stopped", "frozen"])
def test_without_redis_predictions_go_on_and_the_rest_answers_503_soon(
    stack: Stack, fault: str
) -> None:
    version = publish(stack.models_dir)
    api = stack.start_api()
    api.wait_for_version(version)
    if fault == "stopped":
        stack.redis.stop()
    else:
        stack.redis.freeze()
    calls = [
        ("PUT", "/run-pipeline"),
        ("GET", "/jobs"),
        ("GET", f"/jobs/{'0' * 32}"),
        ("DELETE", f"/jobs/{'0' * 32}"),
        ("GET", f"/jobs/{'0' * 32}/events"),
        ("PUT", "/models/current"),
        ("GET", "/processes"),
    ]
    for method, path in calls:

        def refused(method: str = method, path: str = path) -> None:
            answer = api.http.request(method, path, json={"model_version": version})
            assert answer.status_code == 503, (method, path, answer.text)
            assert "Retry-After" in answer.headers

        within_the_contracts_time(refused)
        assert api.version() == version
    assert api.http.get("/models").json()["serving"] == version
    wait_for(lambda: api.http.get("/health/ready").json()["redis"] == "down")
    if fault == "stopped":
        stack.redis.start()
    else:
        stack.redis.thaw()
    wait_for(lambda: api.http.get("/jobs").status_code == 200)
    wait_for(lambda: api.http.get("/health/ready").json()["redis"] == "up")
