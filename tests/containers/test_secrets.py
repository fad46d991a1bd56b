"""Keys from files, handed to the containers as `docs/operations.md` says."""

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.conftest import Compose, up
from tests.support.processes import ROOT
from tests.support.rolling_restart import restart

API_KEY = secrets.token_hex(32)
SIGNING_KEY = secrets.token_hex(32)
SERVICES = ["api", "worker"]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name, key in (("api-key", API_KEY), ("signing-key", SIGNING_KEY)):
        (folder / name).write_text(f"{key}\n")
        (folder / name).chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def with_keys(engine: None, keys: Path) -> Iterator[Compose]:
    snippets = re.findall(
        r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "operations.md").read_text(), re.M | re.S
    )
    (snippet,) = (snippet for snippet in snippets if "secrets:" in snippet)
    override = keys / "docker-compose.override.yml"
    override.write_text(snippet.replace("./keys", str(keys)))
    with up(Compose("keys-test", override)) as compose:
        yield compose


def _run_pipeline(compose: Compose, key: str | None) -> int:
    headers = {"X-API-Key": key} if key else {}
    with compose.client().http as http:
        return http.put("/run-pipeline", headers=headers).status_code


def test_what_changes_something_needs_the_key_and_a_prediction_does_not(
    with_keys: Compose,
) -> None:
    asked = [_run_pipeline(with_keys, key) for key in (None, SIGNING_KEY, API_KEY)]
    assert asked == [401, 403, 202]
    with with_keys.client().http as http:
        assert http.post("/predict", json=[{"Sex": "male"}]).status_code == 200


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


def test_a_rolling_restart_takes_up_a_key_that_was_changed(with_keys: Compose, keys: Path) -> None:
    new_key = secrets.token_hex(32)
    (keys / "api-key").write_text(new_key)
    assert _run_pipeline(with_keys, new_key) == 403
    restart(
        lambda: with_keys("kill", "--signal", "HUP", "api"),
        lambda: with_keys("logs", "api"),
        processes=2,
    )
    assert [_run_pipeline(with_keys, key) for key in (API_KEY, new_key)] == [403, 202]
