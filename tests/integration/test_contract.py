"""Every row of the contract that any running Lifeboat can be asked for.

The integration ring asks a stack of processes, `docker compose --profile test run --rm tests` the
containers.
"""

import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass

import httpx2 as httpx
import pytest

from tests.support.client import Client, wait_for
from tests.support.contract import JOB_FIELDS, ORIGINAL_REQUEST


def test_predictions_come_in_the_order_asked_for_with_the_version_that_gave_them(
    api: Client,
) -> None:
    answer = api.predict(*ORIGINAL_REQUEST)
    turned = api.predict(*reversed(ORIGINAL_REQUEST))
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"predictions", "probabilities", "model_version"}
    assert answer.headers["X-Model-Version"] == body["model_version"]
    assert turned.json()["probabilities"] == body["probabilities"][::-1]
    assert [p > 0.5 for p in body["probabilities"]] == [bool(p) for p in body["predictions"]]


def test_an_empty_list_is_answered_with_empty_lists(api: Client) -> None:
    body = api.http.post("/predict", json=[]).json()
    assert (body["predictions"], body["probabilities"]) == ([], [])


def test_many_passengers_get_the_answers_they_get_one_by_one(api: Client) -> None:
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


def test_a_bad_passenger_is_named_and_its_input_not_repeated(api: Client) -> None:
    answer = api.predict({"Sex": "male"}, {"Sex": "female", "Age": -123456})
    assert answer.status_code == 422
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", 1, "Age"]
    assert "passenger 1" in error["msg"] and "Age" in error["msg"]
    assert "123456" not in answer.text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'[{"Sex": "\\ud800"}]', b"[" * 10_000])
def test_a_body_that_is_no_json_is_refused(api: Client, body: bytes) -> None:
    assert api.http.post("/predict", content=body).status_code == 422


@dataclass(frozen=True)
class Run:
    """What was seen of one run, which the tests below share."""

    before: str | None
    """The version that was served."""
    accepted: httpx.Response
    lines: list[str]
    """Of the event stream, until it ended."""
    job: dict[str, object]

    @property
    def job_id(self) -> str:
        return str(self.job["job_id"])

    @property
    def version(self) -> str:
        result = self.job["result"]
        assert isinstance(result, dict)
        return str(result["model_version"])

    @property
    def events(self) -> list[dict[str, object]]:
        return _events(self.lines)


def _events(lines: list[str]) -> list[dict[str, object]]:
    return [json.loads(line[len("data: ") :]) for line in lines if line.startswith("data: ")]


@pytest.fixture(scope="module")
def run(api: Client) -> Run:
    before = api.version()
    # By force, because whoever asks their own Lifeboat may have a model that is hard to better.
    accepted = api.http.put("/run-pipeline", params={"force": "true"})
    job_id = accepted.json()["job_id"]
    with api.http.stream("GET", f"/jobs/{job_id}/events") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lines = list(stream.iter_lines())
    return Run(before, accepted, lines, api.wait_for_end(job_id))


def test_a_run_is_accepted_followed_and_served_without_a_restart(api: Client, run: Run) -> None:
    assert run.accepted.status_code == 202
    accepted = run.accepted.json()
    assert set(accepted) == {"job_id", "status", "status_url"}
    assert accepted["status"] == "queued"
    location = run.accepted.headers["Location"]
    assert location == accepted["status_url"] == f"/jobs/{accepted['job_id']}"

    assert set(run.job) == JOB_FIELDS
    assert (run.job["status"], run.job["stage"], run.job["progress"], run.job["error"]) == (
        "succeeded",
        "publish",
        1.0,
        None,
    )
    result = run.job["result"]
    assert isinstance(result, dict)
    assert result["outcome"] == "promoted" and result["model_version"] != run.before
    assert set(result["metrics"]) == {"roc_auc", "accuracy", "log_loss", "brier_score"}
    api.wait_for_version(run.version)


def test_recent_jobs_come_newest_first(api: Client, run: Run) -> None:
    jobs = api.http.get("/jobs").json()["jobs"]
    assert jobs[0]["job_id"] == run.job_id
    assert [j["created_at"] for j in jobs] == sorted((j["created_at"] for j in jobs), reverse=True)
    assert len(api.http.get("/jobs", params={"limit": 1}).json()["jobs"]) == 1
    assert api.http.get("/jobs", params={"limit": 0}).status_code == 422


@pytest.mark.parametrize("job_id", ["0" * 32, "nonsense", "0" * 31, "..%2f..", "A" * 32])
def test_a_job_that_never_was_is_not_found(api: Client, job_id: str) -> None:
    assert api.http.get(f"/jobs/{job_id}").status_code == 404
    assert api.http.delete(f"/jobs/{job_id}").status_code == 404
    assert api.http.get(f"/jobs/{job_id}/events").status_code == 404


def test_a_job_that_has_ended_cannot_be_cancelled(api: Client, run: Run) -> None:
    answer = api.http.delete(f"/jobs/{run.job_id}")
    assert answer.status_code == 409
    assert "succeeded" in answer.json()["detail"]


def test_events_show_every_change_until_the_job_ends(api: Client, run: Run) -> None:
    events = run.events
    assert all(set(event) == JOB_FIELDS for event in events)
    assert events[0]["status"] == "queued"
    assert events[-1] == run.job
    stages = [event["stage"] for event in events if event["stage"]]
    order = ["load", "fit", "evaluate", "plot", "export", "verify", "publish"]
    assert list(dict.fromkeys(stages)) == order
    progress = [float(str(event["progress"])) for event in events]
    assert progress == sorted(progress)
    assert len({event["progress"] for event in events if event["stage"] == "evaluate"}) == 10

    ids = [line[len("id: ") :] for line in run.lines if line.startswith("id: ")]
    headers = {"Last-Event-ID": ids[len(events) // 2]}
    with api.http.stream("GET", f"/jobs/{run.job_id}/events", headers=headers) as stream:
        rest = _events(list(stream.iter_lines()))
    assert rest == events[len(events) // 2 + 1 :]


def test_the_models_are_listed_and_an_earlier_one_can_be_chosen(api: Client, run: Run) -> None:
    models = api.http.get("/models").json()
    newest, earlier = (version["model_version"] for version in models["versions"][:2])
    assert newest > earlier
    assert {"model_version", "created_at", "metrics"} <= set(models["versions"][0])
    whole = api.http.get(f"/models/{earlier}").json()
    assert whole["model_version"] == earlier
    plots = models["versions"][1]["plots"]
    assert set(whole["files"]) == {"model.onnx", "model.joblib", *(f"plot-{p}.svg" for p in plots)}

    answer = api.http.put("/models/current", json={"model_version": earlier})
    assert (answer.status_code, set(answer.json())) == (200, {"model_version", "kept"})
    assert answer.json()["model_version"] == earlier
    assert isinstance(answer.json()["kept"], bool)
    api.wait_for_version(earlier)
    wait_for(lambda: api.http.get("/models").json()["serving"] == earlier)


@pytest.mark.parametrize("version", ["20200101-000000-abcdef", "nonsense", "..", "current.json"])
def test_a_version_that_is_not_there_is_not_found(api: Client, version: str) -> None:
    before = api.version()
    answer = api.http.put("/models/current", json={"model_version": version})
    assert answer.status_code == 404
    assert api.http.get(f"/models/{version.replace('..', '%2e%2e')}").status_code == 404
    assert api.version() == before


@pytest.mark.parametrize(
    "body", [b'{"model_version": NaN}', b'{"model_version": "\\ud800"}', b"\xff"]
)
def test_a_choice_that_makes_no_sense_is_refused(api: Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.http.put("/models/current", content=body, headers=headers)
    assert 400 <= answer.status_code < 500, answer.text


def test_a_run_leaves_plots_that_the_api_serves(api: Client, run: Run) -> None:
    newest = api.http.get("/models").json()["versions"][0]
    assert newest["job_id"] == run.job_id
    assert newest["plots"] == [
        *("roc", "precision-recall", "calibration", "confusion-matrix", "permutation-importance"),
    ]
    for plot in newest["plots"]:
        answer = api.http.get(f"/models/{newest['model_version']}/plots/{plot}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert ET.fromstring(answer.content).tag.endswith("}svg")


def test_ready_names_the_version_and_reports_redis(api: Client) -> None:
    answer = api.http.get("/health/ready")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["redis"]) == ("ready", "up")
    assert body["model_version"] in [
        v["model_version"] for v in api.http.get("/models").json()["versions"]
    ]


def test_the_api_documents_itself(api: Client) -> None:
    assert api.http.get("/docs").status_code == 200
    assert "/predict" in api.http.get("/openapi.json").json()["paths"]
