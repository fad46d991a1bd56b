"""`deploy/swarm` on a real Swarm of one node: rolls forward and back while clients predict.

The kernel may lack IPVS, so nothing here goes through Swarm's routing mesh.
"""

import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cloud.swarm import REGISTRY, Roll, Stack, swarm
from tests.containers.conftest import Compose, docker
from tests.support.processes import ROOT, RUN_SECONDS, Api, clean_environment, wait_for
from tests.support.steady_client import LARGE, SMALL, SteadyClient, predict_meanwhile

# The first test waits for images to be built.
pytestmark = pytest.mark.timeout(900)

_BUILT, _NEWER, _BAD = "swarm-test-a", "swarm-test-b", "swarm-test-bad"
_REPLICAS = 2

_SERVES_NO_MODEL = 'CMD ["python", "-m", "http.server", "8000"]'
"""Takes every connection, is never ready, and would answer a prediction with 501."""


def _compose_says(file: str, **environment: str) -> dict[str, Any]:
    """Return the services of a file as Compose reads it."""
    command = ["docker", "compose", "--file", file, "config", "--format", "json"]
    said = subprocess.run(
        command, cwd=ROOT, env=clean_environment() | environment, check=True, capture_output=True
    ).stdout
    services: dict[str, Any] = json.loads(said)["services"]
    return services


def test_the_stack_passes_on_every_setting_that_compose_passes_on() -> None:
    compose = _compose_says("docker-compose.yml")
    stack = _compose_says("deploy/swarm/stack.yml", LIFEBOAT_IMAGE_TAG="any")
    # The definition is in the worker's image, because a node has no checkout. The key is a secret.
    own = {"LIFEBOAT_MODEL", "LIFEBOAT_API_KEY"}
    for service in ("api", "worker"):
        passed_on = set(compose[service]["environment"]) - own
        assert passed_on and passed_on <= set(stack[service]["environment"])


def _image(service: str, tag: str) -> str:
    return f"{REGISTRY}/lifeboat-{service}:{tag}"


def _build(tag: str) -> None:
    compose = Compose("swarm-test")
    compose.environment = {"LIFEBOAT_IMAGE_TAG": tag, "LIFEBOAT_REVISION": tag}
    compose("build", "api", "worker")
    for service in ("api", "worker"):
        docker("tag", f"lifeboat-{service}:{tag}", _image(service, tag))


@pytest.fixture(scope="module")
def images() -> None:
    """Images of two revisions, and those of one whose API never gets ready."""
    try:
        docker("info")
    except (OSError, subprocess.CalledProcessError):
        sentence = "no Docker engine answers, so the tests of Swarm cannot run"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    _build(_BUILT)
    _build(_NEWER)
    # What is built first stays, so that the next build finds its layers.
    docker("image", "rm", *(f"lifeboat-{service}:{_NEWER}" for service in ("api", "worker")))
    docker("tag", _image("worker", _NEWER), _image("worker", _BAD))
    subprocess.run(
        ["docker", "build", "--tag", _image("api", _BAD), "-"],
        input=f"FROM {_image('api', _BUILT)}\n{_SERVES_NO_MODEL}\n",
        env=clean_environment(),
        check=True,
        text=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def stack(images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with swarm():
        stack = Stack(tmp_path_factory.mktemp("swarm"))
        try:
            stack.create()
            stack.deploy(_BUILT)
            # The API gets healthy once the worker has trained the first model.
            wait_for(
                lambda: (
                    [len(stack.containers(s)) for s in ("api", "worker", "edge")]
                    == [_REPLICAS, 1, 1]
                ),
                seconds=RUN_SECONDS,
            )
            yield stack
        finally:
            stack.remove()


@pytest.fixture
def api(stack: Stack) -> Iterator[Api]:
    client = stack.client()
    with client.http:
        wait_for(client.version)
        yield client


def _clients(stack: Stack) -> list[SteadyClient]:
    """A bounded load: half of the clients keep their connections, and one sends large bodies."""
    return [
        SteadyClient(stack.port, SMALL, pause_seconds=0.02),
        SteadyClient(stack.port, LARGE, pause_seconds=0.1),
        SteadyClient(stack.port, SMALL, pause_seconds=0.02, keeps_connection=False),
        SteadyClient(stack.port, SMALL, pause_seconds=0.02, keeps_connection=False),
    ]


def _assert_all_have(stack: Stack, api: Api, tag: str) -> None:
    assert (len(stack.containers("api")), stack.tags("api")) == (_REPLICAS, {tag})
    assert api.http.get("/health/ready").json()["revision"] == tag


def _tell(what: str, clients: list[SteadyClient]) -> None:
    answered = sorted(moment for client in clients for moment in client.answered)
    failed = sum(len(client.failures()) for client in clients)
    print(f"{what}: {len(answered)} answered, {failed} failed, {answered[-1] - answered[0]:.1f} s")


def test_every_container_is_confined_and_only_redis_knows_only_redis(stack: Stack) -> None:
    for service in ("redis", "worker", "api", "edge"):
        found = stack.inspect(stack.containers(service)[0])
        host = found["HostConfig"]
        assert found["Config"]["User"] not in ("", "0", "root")
        assert host["ReadonlyRootfs"] is True and host["Privileged"] is False
        assert (host["CapDrop"], host["CapAdd"] or []) == (["ALL"], [])
        assert 0 < host["PidsLimit"] <= 1024 and 0 < host["Memory"] <= 2 << 30
        mounts = {mount["Target"] for mount in host["Mounts"] if mount["Type"] == "tmpfs"}
        assert mounts == {"/tmp"}
        networks = {name.rpartition("_")[2] for name in found["NetworkSettings"]["Networks"]}
        assert (networks == {"redis"}) is (service == "redis")
        assert ("redis" in networks) is (service != "edge")


def test_what_changes_something_needs_the_key_of_the_secret(stack: Stack, api: Api) -> None:
    assert api.run_pipeline()
    del api.http.headers["X-API-Key"]
    assert api.http.put("/run-pipeline").status_code == 401


def test_a_command_of_the_worker_is_called_in_its_container(stack: Stack, api: Api) -> None:
    stack.carry_out(
        "docker exec $(docker ps --quiet --filter "
        "label=com.docker.swarm.service.name=lifeboat_worker) "
        "python -m worker.backup > monday.tar"
    )
    with tarfile.open(stack.folder / "monday.tar") as backup:
        assert any(name.startswith(f"{api.version()}/") for name in backup.getnames())


def test_a_roll_under_load_fails_no_prediction_and_loses_no_run(stack: Stack, api: Api) -> None:
    """The roll brings in other images, and a second API key beside the first."""
    jobs: list[str] = []
    rolls: list[Roll] = []
    keys = f"{api.http.headers['X-API-Key']}\nanother-key\n"
    stack.carry_out("docker secret create lifeboat-api-key-2 -", input=keys)
    stack.settings["LIFEBOAT_API_KEY_SECRET"] = f"{stack.name}-api-key-2"

    def roll() -> None:
        jobs.append(api.run_pipeline(force=True))
        rolls.append(stack.roll(_NEWER))

    clients = predict_meanwhile(stack.port, roll, _clients(stack))
    _tell("roll", clients)
    for client in clients:
        assert client.failures() == []
    assert rolls[0].ends == {"api": "completed", "worker": "completed"}
    # The new ones came first.
    assert rolls[0].fewest == {"api": _REPLICAS, "worker": 1}
    _assert_all_have(stack, api, _NEWER)
    assert stack.tags("worker") == {_NEWER}
    assert api.wait_for_end(jobs[0])["status"] == "succeeded"
    api.http.headers["X-API-Key"] = "another-key"
    assert api.run_pipeline()


def test_a_bad_image_is_rolled_back_by_itself_and_fails_no_prediction(
    stack: Stack, api: Api
) -> None:
    rolls: list[Roll] = []

    def roll() -> None:
        rolls.append(stack.roll(_BAD, LIFEBOAT_START_PERIOD="10s"))

    clients = predict_meanwhile(stack.port, roll, _clients(stack))
    _tell("roll of a bad image", clients)
    for client in clients:
        assert client.failures() == []
    assert rolls[0].ends == {"api": "rollback_completed", "worker": "completed"}
    assert rolls[0].fewest == {"api": _REPLICAS, "worker": 1}
    _assert_all_have(stack, api, _NEWER)
