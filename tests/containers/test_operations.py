"""The recipes of `docs/operations.md`, each with clients that predict all the while. In order."""

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import __version__
from tests.containers.conftest import Compose, docker
from tests.support import haproxy
from tests.support.key_files import KeyFiles
from tests.support.processes import Api, http_client, wait_for
from tests.support.steady_client import predict_meanwhile

pytestmark = pytest.mark.thorough


def _make(compose: Compose, *arguments: str) -> str:
    status, said = compose.call("make", *arguments, f"COMPOSE={shlex.join(compose.command)}")
    assert status == 0, said
    return said


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backups") / "monday.tar"


def test_a_backup_and_its_restoration_lose_no_request(
    compose: Compose, api: Api, backup: Path
) -> None:
    if len(api.http.get("/models").json()["versions"]) < 2:
        api.wait_for_end(api.run_pipeline())
    newer, saved = (v["model_version"] for v in api.http.get("/models").json()["versions"][:2])
    assert api.http.put("/models/current", json={"model_version": saved}).status_code == 200
    api.wait_for_version(saved)
    # The worker's mirror of the choice is what is backed up.
    wait_for(lambda: saved in compose("exec", "-T", "worker", "cat", "/models/current.json"))
    said: list[str] = []

    def act() -> None:
        said.append(_make(compose, "backup", f"BACKUP={backup}"))
        api.http.put("/models/current", json={"model_version": newer})
        api.wait_for_version(newer)
        compose("exec", "-T", "worker", "rm", "-r", f"/models/{saved}")
        said.append(_make(compose, "restore", f"BACKUP={backup}"))

    for client in predict_meanwhile(compose.port, act):
        assert client.failures() == []
    assert f"{saved}: restored" in said[1] and f"{saved}: chosen" in said[1]
    assert api.version() == saved
    assert api.http.get(f"/models/{saved}").status_code == 200


def test_on_a_new_machine_the_first_run_does_not_take_the_place_of_what_is_restored(
    compose: Compose, api: Api, backup: Path
) -> None:
    listed, saved = api.http.get("/models").json(), api.version()
    compose("down", "--volumes")
    # As `docker compose up` without waiting: the first run has begun.
    compose("up", "--detach")
    wait_for(lambda: api.is_live() and api.http.get("/jobs").json().get("jobs"))
    _make(compose, "restore", f"BACKUP={backup}")
    wait_for(lambda: api.version() == saved)
    (first,) = api.http.get("/jobs").json()["jobs"]
    assert (first["requested_by"], first["status"]) == ("first start", "cancelled")
    assert api.http.get("/models").json() == listed


# --- behind the edge -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def edge(compose: Compose) -> Iterator[Compose]:
    """The stack with the profile `edge`, whose HAProxy is Debian's."""
    if haproxy.executable() is None:
        sentence = "haproxy is not on PATH; on Debian and Ubuntu: apt install haproxy"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    compose("--profile", "edge", "up", "--build", "--detach", "--wait")
    yield compose
    compose("--profile", "edge", "rm", "--stop", "--force", "edge", "api-2")
    docker("image", "rm", "lifeboat-api:later", "lifeboat-worker:later")


def _revisions(compose: Compose) -> list[str]:
    """What each API container says of its code."""
    ask = (
        "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/health/ready').read())"
    )
    said = [compose.python(service, ask) for service in ("api", "api-2")]
    return [re.findall(r'"revision":"([^"]*)"', text)[0] for text in said]


def test_an_upgrade_and_a_changed_variable_lose_no_request_behind_the_edge(edge: Compose) -> None:
    edge.environment = {
        "LIFEBOAT_REVISION": "later",
        "LIFEBOAT_MAX_ROWS": "5001",
        "LIFEBOAT_IMAGE_TAG": "later",
    }

    def act() -> None:
        _make(edge, "build")
        _make(edge, "roll")

    for client in predict_meanwhile(edge.edge_port, act):
        assert client.failures() == []
    assert _revisions(edge) == ["later", "later"]
    for image in ("lifeboat-api:later", "lifeboat-worker:later"):
        labels = json.loads(
            docker("image", "inspect", "--format", "{{json .Config.Labels}}", image)
        )
        told = {name.rpartition(".")[2]: value for name, value in labels.items()}
        assert (told["version"], told["revision"]) == (__version__, "later")
    with http_client(f"http://127.0.0.1:{edge.edge_port}") as http:
        assert http.post("/predict", json=[{"Sex": "male"}] * 5_002).status_code == 413
        assert 'lifeboat_build_info{revision="later"' in http.get("/metrics").text


def test_a_wrong_value_is_told_before_any_container_is_made_anew(edge: Compose) -> None:
    before = [edge.inspect(service)["Id"] for service in ("api", "api-2", "worker")]
    edge.environment |= {"LIFEBOAT_MAX_ROWS": "none"}
    # A roll begins with `make check-config`.
    status, said = edge.call("make", "roll", f"COMPOSE={shlex.join(edge.command)}")
    assert status != 0 and "LIFEBOAT_MAX_ROWS" in said
    assert [edge.inspect(service)["Id"] for service in ("api", "api-2", "worker")] == before


def test_the_last_api_that_answers_is_not_taken_out(edge: Compose) -> None:
    def turn(*arguments: str) -> str:
        return edge(
            *("exec", "-T", "edge", "bash", "/usr/local/etc/haproxy/turn", *arguments), check=False
        )

    edge("stop", "api-2")
    wait_for(lambda: turn("order").split() == ["api-2", "api"])
    assert "the only API that answers" in turn("out", "api")


def test_the_code_is_rolled_back_by_its_tag_and_no_request_is_lost(edge: Compose) -> None:
    # With one API container down, as after a roll that failed: it comes first.
    edge("stop", "api-2")
    edge.environment = {}
    for client in predict_meanwhile(edge.edge_port, lambda: _make(edge, "roll")):
        assert client.failures() == []
    assert _revisions(edge) == ["unknown", "unknown"]


def test_a_first_signing_key_is_set_and_no_prediction_is_lost_behind_the_edge(
    edge: Compose, api: Api, tmp_path: Path
) -> None:
    keys = KeyFiles(tmp_path)
    # The stack has the keys from here on.
    edge.overrides.append(keys.override)
    api.http.headers["X-API-Key"] = keys.api
    served = api.version()
    other = next(
        version["model_version"]
        for version in api.http.get("/models").json()["versions"]
        if version["model_version"] != served
    )
    manifest = f"/models/{other}/manifest.json"
    unsigned = edge("exec", "-T", "worker", "cat", manifest)

    def do(command: str) -> str:
        return edge.carry_out(keys.command("The first key", command))

    def choose_the_other() -> int:
        return api.http.put("/models/current", json={"model_version": other}).status_code

    def act() -> None:
        do("docker compose stop worker")
        signed = do("docker compose run --rm worker python -m worker.sign")
        assert f"{served}: signed" in signed and f"{other}: signed" in signed
        do("make roll")
        do("docker compose up --detach worker")

    for client in predict_meanwhile(edge.edge_port, act):
        assert client.failures() == []
    assert api.version() == served
    edge.python("worker", f"open({manifest!r}, 'w').write({unsigned!r})")
    assert choose_the_other() == 409
    edge("exec", "-T", "worker", "python", "-m", "worker.sign")
    assert choose_the_other() == 200
    api.wait_for_version(other)
