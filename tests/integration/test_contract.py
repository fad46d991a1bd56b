"""Every row of the contract, against real processes."""

import json
import xml.etree.ElementTree as ET

import pytest

from tests.support.contract import JOB_FIELDS, ORIGINAL_REQUEST
from tests.support.patience import within_the_contracts_time
from tests.support.processes import Api, Stack, wait_for
from tests.support.versions import publish


def test_predictions_come_in_the_order_asked_for_with_the_version_that_gave_them(api: Api) -> None:
    answer = api.predict(*ORIGINAL_REQUEST)
    turned = api.predict(*reversed(ORIGINAL_REQUEST))
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"predictions", "probabilities", "model_version"}
    assert answer.headers["X-Model-Version"] == body["model_version"]
    assert turned.json()["probabilities"] == body["probabilities"][::-1]
    assert [p > 0.5 for p in body["probabilities"]] == [bool(p) for p in body["predictions"]]


def test_an_empty_list_is_answered_with_empty_lists(api: Api) -> None:
    body = api.http.post("/predict", json=[]).json()
    assert (body["predictions"], body["probabilities"]) == ([], [])


def test_many_passengers_get_the_answers_they_get_one_by_one(api: Api) -> None:
    passengers = [
        {"Sex": sex, "Age": age, "Pclass": 1 + age % 3, "Fare": float(age)}
        for age in range(100)
        for sex in ("male", "female")
    ] * 10
    together = api.http.post("/predict", json=passengers).json()["probabilities"]
    alone = [
        api.http.post("/predict", json=[passenger]).json()["probabilities"][0]
        for passenger in passengers[:5]
    ]
    assert len(together) == len(passengers)
    assert together[:5] == pytest.approx(alone, abs=1e-6)


def test_a_bad_passenger_is_named_and_its_input_not_repeated(api: Api) -> None:
    answer = api.predict({"Sex": "male"}, {"Sex": "female", "Age": -123456})
    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", 1, "Age"]
    assert "passenger 1" in error["msg"] and "Age" in error["msg"]
    assert "123456" not in answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'[{"Sex": "\\ud800"}]', b"[" * 10_000])
def test_a_body_that_is_no_json_is_refused(api: Api, body: bytes) -> None:
    assert api.http.post("/predict", content=body).status_code == 422


def test_before_the_first_model_everything_says_so(stack: Stack) -> None:
    api = stack.start_api()
    answer = api.predict()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "PUT /run-pipeline" in answer.json()["detail"]
    assert api.http.get("/health/ready").status_code == 503
    assert api.http.get("/health/live").status_code == 200
    assert api.http.get("/models").json() == {"serving": None, "versions": []}


def test_a_run_is_accepted_followed_and_served_without_a_restart(api: Api) -> None:
    before = api.version()
    answer = api.http.put("/run-pipeline")
    assert answer.status_code == 202
    accepted = answer.json()
    assert set(accepted) == {"job_id", "status", "status_url"}
    assert accepted["status"] == "queued"
    assert answer.headers["Location"] == accepted["status_url"] == f"/jobs/{accepted['job_id']}"

    job = api.wait_for_end(accepted["job_id"])
    assert set(job) == JOB_FIELDS
    assert (job["status"], job["stage"], job["progress"], job["error"]) == (
        "succeeded",
        "publish",
        1.0,
        None,
    )
    result = job["result"]
    assert isinstance(result, dict)
    assert result["outcome"] == "promoted" and result["model_version"] != before
    assert set(result["metrics"]) == {"roc_auc", "accuracy", "log_loss", "brier_score"}
    api.wait_for_version(result["model_version"])


def test_recent_jobs_come_newest_first(api: Api) -> None:
    newest = api.run_pipeline()
    api.wait_for_end(newest)
    jobs = api.http.get("/jobs").json()["jobs"]
    assert jobs[0]["job_id"] == newest
    assert [j["created_at"] for j in jobs] == sorted((j["created_at"] for j in jobs), reverse=True)
    assert len(api.http.get("/jobs", params={"limit": 1}).json()["jobs"]) == 1
    assert api.http.get("/jobs", params={"limit": 0}).status_code == 422


@pytest.mark.parametrize("job_id", ["0" * 32, "nonsense", "0" * 31, "..%2f..", "A" * 32])
def test_a_job_that_never_was_is_not_found(api: Api, job_id: str) -> None:
    assert api.http.get(f"/jobs/{job_id}").status_code == 404
    assert api.http.delete(f"/jobs/{job_id}").status_code == 404
    assert api.http.get(f"/jobs/{job_id}/events").status_code == 404


def test_a_job_that_has_ended_cannot_be_cancelled(api: Api) -> None:
    job_id = api.run_pipeline()
    api.wait_for_end(job_id)
    answer = api.http.delete(f"/jobs/{job_id}")
    assert answer.status_code == 409
    assert "succeeded" in answer.json()["detail"]


def test_a_queued_job_is_put_once_and_cancelled_at_once(stack: Stack) -> None:
    api = stack.start_api()
    job_id = api.run_pipeline()
    assert api.run_pipeline() == job_id
    answer = api.http.delete(f"/jobs/{job_id}")
    assert answer.status_code == 202
    assert answer.json()["status"] == "cancelled"
    assert api.run_pipeline() != job_id


def test_events_show_every_change_until_the_job_ends(api: Api) -> None:
    job_id = api.run_pipeline()
    with api.http.stream("GET", f"/jobs/{job_id}/events") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lines = list(stream.iter_lines())
    events = [json.loads(line[len("data: ") :]) for line in lines if line.startswith("data: ")]
    assert all(set(event) == JOB_FIELDS for event in events)
    assert events[0]["status"] == "queued"
    assert events[-1] == api.job(job_id)
    stages = [event["stage"] for event in events if event["stage"]]
    order = ["load", "fit", "evaluate", "plot", "export", "verify", "publish"]
    assert list(dict.fromkeys(stages)) == order
    progress = [event["progress"] for event in events]
    assert progress == sorted(progress)
    assert len({event["progress"] for event in events if event["stage"] == "evaluate"}) == 10

    middle = [line[len("id: ") :] for line in lines if line.startswith("id: ")][len(events) // 2]
    headers = {"Last-Event-ID": middle}
    with api.http.stream("GET", f"/jobs/{job_id}/events", headers=headers) as stream:
        rest = [line for line in stream.iter_lines() if line.startswith("data: ")]
    assert [json.loads(line[len("data: ") :]) for line in rest] == events[len(events) // 2 + 1 :]


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


def test_the_models_are_listed_and_an_earlier_one_can_be_chosen(api: Api) -> None:
    api.wait_for_end(api.run_pipeline())
    models = api.http.get("/models").json()
    newest, earlier = (version["model_version"] for version in models["versions"][:2])
    assert newest > earlier
    assert {"model_version", "created_at", "metrics"} <= set(models["versions"][0])
    whole = api.http.get(f"/models/{earlier}").json()
    assert whole["model_version"] == earlier
    plots = models["versions"][1]["plots"]
    assert set(whole["files"]) == {"model.onnx", "model.joblib", *(f"plot-{p}.svg" for p in plots)}

    answer = api.http.put("/models/current", json={"model_version": earlier})
    assert (answer.status_code, answer.json()) == (200, {"model_version": earlier})
    api.wait_for_version(earlier)
    wait_for(lambda: api.http.get("/models").json()["serving"] == earlier)


@pytest.mark.parametrize("version", ["20200101-000000-abcdef", "nonsense", "..", "current.json"])
def test_a_version_that_is_not_there_is_not_found(api: Api, version: str) -> None:
    before = api.version()
    answer = api.http.put("/models/current", json={"model_version": version})
    assert answer.status_code == 404
    assert api.http.get(f"/models/{version.replace('..', '%2e%2e')}").status_code == 404
    assert api.version() == before


@pytest.mark.parametrize(
    "body", [b'{"model_version": NaN}', b'{"model_version": "\\ud800"}', b"\xff"]
)
def test_a_choice_that_makes_no_sense_is_refused(api: Api, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.http.put("/models/current", content=body, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text


def test_a_run_leaves_plots_that_the_api_serves(api: Api) -> None:
    job_id = api.run_pipeline()
    assert api.wait_for_end(job_id)["status"] == "succeeded"
    newest = api.http.get("/models").json()["versions"][0]
    assert newest["job_id"] == job_id
    assert newest["plots"] == [
        *("roc", "precision-recall", "calibration", "confusion-matrix", "permutation-importance"),
    ]
    for plot in newest["plots"]:
        answer = api.http.get(f"/models/{newest['model_version']}/plots/{plot}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert ET.fromstring(answer.content).tag.endswith("}svg")


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


def test_ready_names_the_version_and_reports_redis(api: Api) -> None:
    answer = api.http.get("/health/ready")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["redis"]) == ("ready", "up")
    assert body["model_version"] in [
        v["model_version"] for v in api.http.get("/models").json()["versions"]
    ]


def test_the_api_documents_itself(api: Api) -> None:
    assert api.http.get("/docs").status_code == 200
    assert "/predict" in api.http.get("/openapi.json").json()["paths"]


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


def test_a_start_that_others_can_reach_without_a_key_is_warned_of_once(stack: Stack) -> None:
    api = stack.start_api(processes=2, host="0.0.0.0")
    (said,) = [line for line in api.log().splitlines() if "LIFEBOAT_API_KEY" in line]
    assert "WARNING" in said
    assert "LIFEBOAT_API_KEY" not in stack.start_api().log()


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
