"""The profile `bucket`: replicas in containers that follow a bucket (docs/deploy/bucket.md)."""

from collections.abc import Iterator

import pytest

from tests.cloud.engine import names_are_kept
from tests.cloud.tools import python_tool
from tests.containers.conftest import BASE_IMAGE, Compose
from tests.support import artifacts
from tests.support.processes import Api, free_port, wait_for

pytestmark = pytest.mark.timeout(900)

_REPLICAS = 3

# The program is linked statically, so any image runs it. Busybox's wget is not in this one.
_OVERRIDE = """
services:
  bucket:
    image: {image}
    volumes:
      - {weed}:/usr/local/bin/weed:ro
      - {wget}:/usr/local/bin/wget:ro
"""
_WGET = """#!/usr/bin/env python3
import sys, urllib.request
urllib.request.build_opener(urllib.request.ProxyHandler({})).open(sys.argv[-1], timeout=3)
"""


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    folder = tmp_path_factory.mktemp("bucket")
    folder.chmod(0o755)
    wget = folder / "wget"
    wget.write_text(_WGET)
    wget.chmod(0o755)
    override = folder / "bucket.yml"
    override.write_text(_OVERRIDE.format(image=BASE_IMAGE, weed=python_tool("weed"), wget=wget))
    compose = Compose("replicas", override)
    first = free_port()
    compose.environment["LIFEBOAT_REPLICA_PORTS"] = f"{first}-{first + _REPLICAS - 1}"
    artifacts.keep_of(compose)
    with names_are_kept():
        try:
            compose.carry_out("docker compose --profile bucket build api worker")
            compose.carry_out("docker compose --profile bucket up --detach --wait replica")
            yield compose
        finally:
            compose.down()


@pytest.fixture
def replicas(compose: Compose) -> Iterator[list[Api]]:
    first = int(compose.environment["LIFEBOAT_REPLICA_PORTS"].partition("-")[0])
    clients = [Api(f"http://127.0.0.1:{first + number}") for number in range(_REPLICAS)]
    yield clients
    for client in clients:
        client.http.close()


def _ready(api: Api) -> dict[str, object]:
    body: dict[str, object] = api.http.get("/health/ready").json()
    return body


def test_three_replicas_serve_what_is_published_into_the_bucket(
    compose: Compose, replicas: list[Api]
) -> None:
    first = _ready(replicas[0])["model_version"]
    assert first is not None
    assert [(_ready(api)["model_version"], _ready(api)["redis"]) for api in replicas] == [
        (first, "none")
    ] * _REPLICAS
    said = compose.carry_out(
        "docker compose --profile bucket run --rm publish python -m worker.publish --force"
    )
    second = next(line.split()[1] for line in said.splitlines() if line.startswith("promoted:"))
    for api in replicas:
        api.wait_for_version(second)
    listed = compose.carry_out(
        "docker compose --profile bucket run --rm publish python -m worker.choice"
    )
    assert f"{second}  chosen" in listed and f"{first}  promoted" in listed
    compose.carry_out(
        f"docker compose --profile bucket run --rm publish python -m worker.choice {first}"
    )
    for api in replicas:
        wait_for(lambda: api.version() == first, why=lambda: compose("logs", "replica"))  # noqa: B023


def test_the_bucket_has_no_port_and_its_end_changes_nothing(
    compose: Compose, replicas: list[Api]
) -> None:
    assert not compose.inspect("bucket")["HostConfig"]["PortBindings"]
    served = _ready(replicas[0])["model_version"]
    compose("stop", "bucket")
    wait_for(lambda: all(_ready(api)["store_error"] for api in replicas))
    for api in replicas:
        assert api.version() == served and api.http.get("/models").status_code == 503
