"""Keys from files, handed to the containers as `docs/operations.md` says."""

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.containers.conftest import Compose, up
from tests.processes import ROOT

API_KEY = secrets.token_hex(32)
SIGNING_KEY = secrets.token_hex(32)
SERVICES = ["api", "worker"]


@pytest.fixture(scope="module")
def with_keys(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    folder = tmp_path_factory.mktemp("keys")
    for name, key in (("api-key", API_KEY), ("signing-key", SIGNING_KEY)):
        (folder / name).write_text(f"{key}\n")
        (folder / name).chmod(0o444)
    (snippet,) = re.findall(
        r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "operations.md").read_text(), re.M | re.S
    )
    override = Path(folder / "docker-compose.override.yml")
    override.write_text(snippet.replace("./keys", str(folder)))
    with up(Compose("keys-test", override)) as compose:
        yield compose


def test_what_changes_something_needs_the_key(with_keys: Compose) -> None:
    with with_keys.client().http as http:
        assert http.post("/predict", json=[{"Sex": "male"}]).status_code == 200
        asked = httpx.Request("PUT", f"{http.base_url}/run-pipeline")
        assert http.send(asked).status_code == 401
        asked.headers["X-API-Key"] = SIGNING_KEY
        assert http.send(asked).status_code == 403
        asked.headers["X-API-Key"] = API_KEY
        assert http.send(asked).status_code == 202


@pytest.mark.parametrize("service", SERVICES)
def test_the_signing_key_is_the_file_s(with_keys: Compose, service: str) -> None:
    code = "from shared.settings import Settings; print(Settings().signing_key.get_secret_value())"
    assert with_keys.python(service, code) == SIGNING_KEY


def test_the_worker_is_not_given_the_api_key(with_keys: Compose) -> None:
    code = "import os; print(os.listdir('/run/secrets'))"
    assert with_keys.python("worker", code) == "['signing-key']"


@pytest.mark.parametrize("service", SERVICES)
def test_no_key_is_seen_from_outside_or_logged(with_keys: Compose, service: str) -> None:
    inspected = json.dumps(with_keys.inspect(service))
    logged = with_keys("logs", service)
    assert "/run/secrets" in inspected and logged
    for key in (API_KEY, SIGNING_KEY):
        assert key not in inspected
        assert key not in logged
