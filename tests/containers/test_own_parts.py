"""An installation's own table, Redis, models folder and user, as `docs/operations.md` says."""

import os
import re
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.conftest import Compose, docker, up
from tests.support.processes import ROOT, Api, free_port, wait_for

_USER = 1234


@pytest.fixture(scope="module")
def redis_url(engine: None) -> Iterator[str]:
    """A Redis server that is not of the project, on this machine's address for containers."""
    gateway = docker(
        "network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge"
    )
    port, password = free_port(), secrets.token_hex(8)
    container = docker(
        *("run", "--detach", "--rm", "--publish", f"{gateway}:{port}:6379", "redis:8"),
        *("redis-server", "--save", "", "--requirepass", password),
    )
    yield f"redis://:{password}@{gateway}:{port}/0"
    docker("rm", "--force", container)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_table: str) -> Path:
    folder = tmp_path_factory.mktemp("own")
    for name in ("my-models", "my-data"):
        (folder / name).mkdir()
    os.chown(folder / "my-models", _USER, _USER)
    (folder / "my-data" / "table.csv").write_bytes(Path(small_table).read_bytes())
    return folder


@pytest.fixture(scope="module")
def own(folder: Path, redis_url: str) -> Iterator[Compose]:
    snippets = re.findall(
        r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "operations.md").read_text(), re.M | re.S
    )
    (snippet,) = (snippet for snippet in snippets if "my-models" in snippet)
    example = "redis://:password@redis.example:6379/0"
    assert snippet.count(example) == 1 and f'"{_USER}:{_USER}"' in snippet
    override = folder / "docker-compose.override.yml"
    override.write_text(snippet.replace(example, redis_url).replace("./my-", f"{folder}/my-"))
    with up(Compose("own-test", override)) as compose:
        yield compose


@pytest.fixture
def own_api(own: Compose) -> Iterator[Api]:
    client = own.client()
    with client.http:
        yield client


def test_a_version_of_the_own_table_is_in_the_own_folder_and_belongs_to_the_own_user(
    own: Compose, own_api: Api, folder: Path
) -> None:
    assert own("ps", "--services").split() == ["api", "worker"]
    version = own_api.version()
    assert version is not None
    assert own_api.http.get(f"/models/{version}").json()["data"]["rows"] == 150
    assert (folder / "my-models" / version / "manifest.json").stat().st_uid == _USER
    for service in ("api", "worker"):
        assert own.python(service, "import os; print(os.getuid())") == str(_USER)
    wait_for(lambda: own_api.http.get("/health/ready").json()["redis"] == "up")
    assert own_api.wait_for_end(own_api.run_pipeline())["status"] == "succeeded"


def test_backup_and_restore_do_without_the_redis_of_the_project(
    own: Compose, own_api: Api, folder: Path
) -> None:
    saved, backup = own_api.version(), folder / "backup.tar"
    assert saved is not None
    wait_for(lambda: saved in (folder / "my-models" / "current.json").read_text())
    first = min(
        version["model_version"] for version in own_api.http.get("/models").json()["versions"]
    )
    for target in ("backup", "restore"):
        make = ("make", target, f"COMPOSE={shlex.join(own.command)}", f"BACKUP={backup}")
        status, said = own.call(*make)
        assert status == 0, said
        if target == "backup":
            own_api.http.put("/models/current", json={"model_version": first})
            own_api.wait_for_version(first)
    own_api.wait_for_version(saved)
