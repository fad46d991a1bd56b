"""The product in containers, seen from outside and from inside. In the order of the file."""

import json

import pytest

from tests.containers.conftest import BASE_IMAGE, Compose, docker
from tests.support.contract import ORIGINAL_REQUEST
from tests.support.processes import Api, wait_for

MEGABYTE = 1_000_000


def test_it_is_up_and_predicts_as_the_original_service(api: Api) -> None:
    answer = api.http.post("/predict", json=ORIGINAL_REQUEST)
    assert answer.json()["predictions"] == [0, 1]


def test_a_run_changes_the_served_version_and_a_roll_back_changes_it_again(api: Api) -> None:
    first = api.version()
    result = api.wait_for_end(api.run_pipeline())["result"]
    assert isinstance(result, dict) and result["outcome"] == "promoted"
    api.wait_for_version(result["model_version"])
    assert api.http.put("/models/current", json={"model_version": first}).status_code == 200
    assert first is not None
    api.wait_for_version(first)


def test_a_version_brings_its_plots_though_its_worker_may_write_nearly_nowhere(api: Api) -> None:
    newest = api.http.get("/models").json()["versions"][0]
    assert len(newest["plots"]) == 5
    for plot in newest["plots"]:
        answer = api.http.get(f"/models/{newest['model_version']}/plots/{plot}")
        assert answer.status_code == 200
        assert b"</svg>" in answer.content


@pytest.mark.thorough
def test_a_run_is_started_and_watched_from_the_workers_container(
    compose: Compose, api: Api
) -> None:
    said = compose("exec", "-T", "worker", "python", "-m", "cli.retrain", "--follow")
    assert " at http://api:8000\n" in said
    assert f"promoted: {api.http.get('/models').json()['versions'][0]['model_version']} " in said


@pytest.mark.thorough
def test_an_api_restarted_without_redis_predicts_with_what_was_chosen(
    compose: Compose, api: Api
) -> None:
    chosen = api.version()
    compose("stop", "redis")
    assert api.version() == chosen
    assert api.http.put("/run-pipeline").status_code == 503
    compose("restart", "api")
    wait_for(lambda: api.is_live())
    wait_for(lambda: api.version() == chosen)
    assert api.http.get("/health/ready").json()["redis"] == "down"
    compose("start", "redis")
    wait_for(lambda: api.http.get("/jobs").status_code == 200)
    assert api.version() == chosen


@pytest.mark.parametrize(("chosen", "format"), [(None, "json"), ("", "json"), ("text", "text")])
def test_logs_are_json_unless_the_machine_says_otherwise(
    engine: None, chosen: str | None, format: str
) -> None:
    compose = Compose("config-test")
    compose.environment = {} if chosen is None else {"LIFEBOAT_LOG_FORMAT": chosen}
    services = json.loads(compose("config", "--format", "json"))["services"]
    for service in ("worker", "api"):
        assert services[service]["environment"]["LIFEBOAT_LOG_FORMAT"] == format


@pytest.mark.thorough
def test_two_workers_run_one_job_at_a_time(compose: Compose, api: Api) -> None:
    compose("up", "--detach", "--wait", "--scale", "worker=2", "--no-recreate")
    job_id = api.run_pipeline()
    assert api.run_pipeline() == job_id
    job = api.wait_for_end(job_id)
    assert (job["status"], job["attempts"]) == ("succeeded", 1)


def test_the_serving_image_has_nothing_that_unpickles(compose: Compose) -> None:
    names = ["sklearn", "pandas", "joblib", "cloudpickle", "pyarrow", "onnx", "pip", "worker"]
    names += ["celery"]
    code = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
    assert compose.python("api", code) == "[]"


@pytest.mark.parametrize(("image", "most"), [("lifeboat-api", 150), ("lifeboat-worker", 600)])
def test_what_an_image_adds_to_its_base_stays_small(
    compose: Compose, image: str, most: int
) -> None:
    def size(image: str) -> int:
        return int(docker("image", "inspect", "--format", "{{.Size}}", image))

    assert size(image) - size(BASE_IMAGE) <= most * MEGABYTE


def test_the_api_cannot_write_the_models_and_the_worker_can(compose: Compose) -> None:
    code = "import os; print(os.access('/models', os.W_OK))"
    assert compose.python("api", code) == "False"
    assert compose.python("worker", code) == "True"


@pytest.mark.parametrize("service", ["api", "worker"])
def test_no_process_is_root_or_reports_to_a_vendor(compose: Compose, service: str) -> None:
    code = "import os; print(os.getuid(), os.environ['ORT_DISABLE_TELEMETRY'])"
    assert compose.python(service, code) == "10001 1"


@pytest.mark.parametrize("service", ["redis", "api", "worker"])
def test_every_service_is_healthy_limited_and_comes_back(compose: Compose, service: str) -> None:
    # An earlier test may have restarted it a moment ago.
    wait_for(lambda: compose.inspect(service)["State"]["Health"]["Status"] == "healthy")
    container = compose.inspect(service)
    host = container["HostConfig"]
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert host["Memory"] > 0
    assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}
    assert container["Config"]["StopTimeout"] >= 10


def test_only_the_api_is_published_and_only_to_this_machine(compose: Compose) -> None:
    ports = {
        service: compose.inspect(service)["HostConfig"]["PortBindings"] or {}
        for service in ("redis", "worker", "api")
    }
    assert ports == {
        "redis": {},
        "worker": {},
        "api": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(compose.port)}]},
    }


def test_redis_asks_for_its_generated_password(compose: Compose) -> None:
    assert "NOAUTH" in compose("exec", "-T", "redis", "redis-cli", "ping")
    password = compose("exec", "-T", "redis", "cat", "/run/lifeboat/password").strip()
    assert len(password) == 64
    assert password not in json.dumps(compose.inspect("redis"))
    assert password not in docker("top", compose.inspect("redis")["Id"])
