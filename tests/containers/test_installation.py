"""An installation with keys in files and parts of its own, as `docs/operations.md` says.

The parts are a table, a Redis, a folder of models and a user. Its engine tells of a proxy.
"""

import json
import os
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.containers.conftest import Compose, docker, up
from tests.support.key_files import KeyFiles, snippet
from tests.support.processes import Api, free_port, wait_for
from tests.support.rolling_restart import restart
from tests.support.steady_client import predict_meanwhile
from tests.support.versions import publish

pytestmark = pytest.mark.thorough

SERVICES = ["api", "worker"]
_USER = 1234
# As an engine gives it to its containers if it is told of a proxy: no probe may go there.
_PROXIES = """
services:
  worker: &proxied
    environment: {http_proxy: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9"}
  api: *proxied
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    return KeyFiles(tmp_path_factory.mktemp("keys"))


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
def installed(keys: KeyFiles, folder: Path, redis_url: str) -> Iterator[Compose]:
    example = "redis://:password@redis.example:6379/0"
    own = snippet("my-models")
    assert own.count(example) == 1 and own.count(f'"{_USER}:{_USER}"') == 2
    overrides = {
        "own": own.replace(example, redis_url).replace("./my-", f"{folder}/my-"),
        "proxies": _PROXIES,
    }
    for name, text in overrides.items():
        (folder / f"{name}.yml").write_text(text)
    files = [keys.override, *(folder / f"{name}.yml" for name in overrides)]
    with up(Compose("installation", *files)) as compose:
        yield compose


def _run_pipeline(compose: Compose, key: str | None) -> int:
    headers = {"X-API-Key": key} if key else {}
    with compose.client().http as http:
        return http.put("/run-pipeline", headers=headers).status_code


def test_what_changes_something_needs_the_key_and_a_prediction_does_not(
    installed: Compose, keys: KeyFiles
) -> None:
    asked = [_run_pipeline(installed, key) for key in (None, keys.signing, keys.api)]
    assert asked == [401, 403, 202]
    with installed.client().http as http:
        assert http.post("/predict", json=[{"Sex": "male"}]).status_code == 200


@pytest.mark.parametrize("service", SERVICES)
def test_the_signing_key_is_the_file_s(installed: Compose, keys: KeyFiles, service: str) -> None:
    code = "from shared.settings import Settings; print(Settings().signing_key.get_secret_value())"
    assert installed.python(service, code) == keys.signing


def test_the_worker_is_not_given_the_api_key(installed: Compose) -> None:
    code = "import os; print(sorted(os.listdir('/run/secrets')))"
    assert installed.python("worker", code) == "['signing-key', 'signing-keys-old']"


@pytest.mark.parametrize("service", SERVICES)
def test_no_key_is_seen_from_outside_or_logged(
    installed: Compose, keys: KeyFiles, service: str
) -> None:
    inspected = json.dumps(installed.inspect(service))
    logged = installed("logs", service)
    assert "/run/secrets" in inspected and logged
    for key in (keys.api, keys.signing):
        assert key not in inspected
        assert key not in logged


# --- parts of its own ----------------------------------------------------------------------------


@pytest.fixture
def own_api(installed: Compose, keys: KeyFiles) -> Iterator[Api]:
    client = installed.client()
    client.http.headers["X-API-Key"] = keys.present("api-key")
    with client.http:
        yield client


def test_a_version_of_the_own_table_is_in_the_own_folder_and_belongs_to_the_own_user(
    installed: Compose, own_api: Api, folder: Path
) -> None:
    assert installed("ps", "--services").split() == ["api", "worker"]
    version = own_api.version()
    assert version is not None
    assert own_api.http.get(f"/models/{version}").json()["data"]["rows"] == 150
    assert (folder / "my-models" / version / "manifest.json").stat().st_uid == _USER
    for service in ("api", "worker"):
        assert installed.python(service, "import os; print(os.getuid())") == str(_USER)
    wait_for(lambda: own_api.http.get("/health/ready").json()["redis"] == "up")
    job = own_api.wait_for_end(own_api.run_pipeline())
    assert job["status"] == "succeeded" and isinstance(job["result"], dict)
    if job["result"]["outcome"] == "promoted":
        # The next test asks which version is served.
        own_api.wait_for_version(job["result"]["model_version"])


def test_backup_and_restore_do_without_the_redis_of_the_project(
    installed: Compose, own_api: Api, folder: Path
) -> None:
    saved, backup = own_api.version(), folder / "backup.tar"
    assert saved is not None
    wait_for(lambda: saved in (folder / "my-models" / "current.json").read_text())
    first = min(
        version["model_version"] for version in own_api.http.get("/models").json()["versions"]
    )
    for target in ("backup", "restore"):
        make = ("make", target, f"COMPOSE={shlex.join(installed.command)}", f"BACKUP={backup}")
        status, said = installed.call(*make)
        assert status == 0, said
        if target == "backup":
            own_api.http.put("/models/current", json={"model_version": first})
            own_api.wait_for_version(first)
    own_api.wait_for_version(saved)


# --- other keys, as the recipes say --------------------------------------------------------------


def test_both_keys_are_changed_and_no_client_is_refused_or_lost(
    installed: Compose, own_api: Api, keys: KeyFiles, folder: Path
) -> None:
    if len(own_api.http.get("/models").json()["versions"]) < 2:
        own_api.wait_for_end(own_api.run_pipeline())
    newer, older = (v["model_version"] for v in own_api.http.get("/models").json()["versions"][:2])

    def do(recipe: str, command: str) -> None:
        installed.carry_out(keys.command(recipe, command))

    def restart_both() -> None:
        restart(
            lambda: do("Another key", "docker compose kill --signal HUP api"),
            lambda: installed("logs", "api"),
            processes=2,
        )
        do("Another key", "docker compose restart worker")

    def opened_by(*tried: str) -> list[int]:
        with installed.client().http as http:
            return [http.get("/metrics", headers={"X-API-Key": k}).status_code for k in tried]

    def serve(version: str) -> None:
        assert _choose(own_api, version) == 200
        own_api.wait_for_version(version)

    def change() -> None:
        serve(newer)
        do("Another API key", "openssl rand -hex 32 >> keys/api-key")
        do("Another key", "cat keys/signing-key >> keys/signing-keys-old")
        do("Another key", "openssl rand -hex 32 > keys/signing-key")
        new_key = keys.present("api-key").split()[1]
        assert opened_by(keys.api, new_key) == [200, 403]
        restart_both()
        assert opened_by(keys.api, new_key) == [200, 200]
        own_api.http.headers["X-API-Key"] = new_key
        # Signed with the old key, and taken into service by processes that have both.
        serve(older)
        do("Another API key", 'new=$(tail -n 1 keys/api-key); echo "$new" > keys/api-key')
        do("Another key", "docker compose exec worker python -m worker.sign")
        do("Another key", ": > keys/signing-keys-old")
        restart_both()
        assert opened_by(keys.api, new_key) == [403, 200]
        serve(newer)

    for client in predict_meanwhile(installed.port, change):
        assert client.failures() == []
    new = keys.present("signing-key")
    assert new != keys.signing
    # From here on the new key alone counts.
    for key, answer in ((None, 409), ("another's", 409), (keys.signing, 409), (new, 200)):
        version = publish(folder / "my-models", signing_key=SecretStr(key) if key else None)
        assert _choose(own_api, version) == answer


def _choose(api: Api, version: str) -> int:
    return api.http.put("/models/current", json={"model_version": version}).status_code
