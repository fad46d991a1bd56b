"""Keys and passwords stay out of logs and answers of real processes, also when things fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.runtime.redis_client import connect
from shared.runtime.redis_keys import VERSION
from shared.runtime.redis_url import RedisServer
from shared.versions.manifest import ONNX_FILE
from tests.support.processes import (
    LONG_SECONDS,
    RUN_SECONDS,
    Api,
    Stack,
    environment_of,
    wait_for,
)
from tests.support.versions import publish

SIGNING_KEY = "signing-secret-4711"
API_KEY = "api-secret-4712"
REDIS_PASSWORD = "redis-secret-4713"
SECRETS = (SIGNING_KEY, API_KEY, REDIS_PASSWORD)


@pytest.fixture
def secured(stack: Stack) -> Stack:
    """A stack with every secret there is, which logs all that it has to say."""
    stack.redis.client.config_set("requirepass", REDIS_PASSWORD)
    stack.redis.client.close()
    stack.redis.url = stack.redis.url.replace("//", f"//:{REDIS_PASSWORD}@")
    stack.redis.client = connect(RedisServer(stack.redis.url))
    stack.settings |= {"signing_key": SIGNING_KEY, "api_key": API_KEY, "log_level": "DEBUG"}
    return stack


class Answers:
    """Everything that the API answered, headers and all."""

    def __init__(self, api: Api) -> None:
        self.text = ""
        self._http = api.http

    def ask(self, method: str, path: str, *, key: str | None = API_KEY, body: object = None) -> int:
        headers = {} if key is None else {"X-API-Key": key}
        answer = self._http.request(method, path, headers=headers, json=body)
        self.text += f"{answer.headers} {answer.text}\n"
        return answer.status_code


def _ask_for_everything(answers: Answers) -> list[int]:
    """Calls that succeed, calls that are refused, and calls that make no sense."""
    return [
        answers.ask("POST", "/predict", body=[{"Sex": "male"}]),
        answers.ask("POST", "/predict", body=[{"sex": API_KEY[:3]}]),
        answers.ask("PUT", "/run-pipeline", key=None),
        answers.ask("PUT", "/run-pipeline", key="wrong"),
        answers.ask("PUT", "/run-pipeline"),
        answers.ask("GET", "/jobs"),
        answers.ask("GET", "/models"),
        answers.ask("PUT", "/models/current", body={"model_version": "20200101-000000-abcdef"}),
        answers.ask("GET", "/metrics", key=None),
        answers.ask("GET", "/metrics"),
        answers.ask("GET", "/health/ready"),
        answers.ask("GET", "/openapi.json"),
        answers.ask("GET", "/nowhere"),
    ]


def _assert_none_of(secrets: tuple[str, ...], where: str) -> None:
    for secret in secrets:
        at = where.find(secret)
        assert at < 0, f"shown: {where[max(0, at - 200) : at + 50]}"


@pytest.mark.thorough
def test_no_secret_is_logged_or_answered_whatever_goes_wrong(secured: Stack) -> None:
    unsigned = publish(secured.models_dir)
    worker = secured.start_worker()
    api = secured.start_api(processes=2)
    answers = Answers(api)
    # With a key the unsigned model is not served, and nothing is trained over it by itself.
    assert answers.ask("PUT", "/run-pipeline?force=true") == 202
    # From here on each connection may be to another process.
    wait_for(api.version_everywhere, seconds=RUN_SECONDS)
    statuses = _ask_for_everything(answers)
    assert {200, 202, 401, 403, 404, 422} <= set(statuses)

    # A version that is refused, and a run that fails.
    secured.redis.client.set(VERSION, unsigned)
    wait_for(lambda: "refused" in api.log())
    assert answers.ask("GET", f"/models/{unsigned}") == 409
    assert answers.ask("PUT", "/models/current", body={"model_version": unsigned}) == 409
    for folder in secured.models_dir.glob("2*"):
        (folder / ONNX_FILE).write_bytes(b"damaged")
    wait_for(lambda: secured.redis.client.get("lifeboat:active-job") is None, seconds=RUN_SECONDS)
    worker.stop()
    failing = secured.start_worker(training_data="nowhere.csv")
    assert answers.ask("PUT", "/run-pipeline") == 202
    wait_for(lambda: "failed" in failing.output())
    # The job's end is noted after the line: a worker does not stop before it has noted it.
    wait_for(lambda: secured.redis.client.get("lifeboat:active-job") is None, seconds=RUN_SECONDS)
    assert answers.ask("GET", "/jobs") == 200

    # Redis refuses the password that it took, and then is gone.
    secured.redis.client.config_set("requirepass", "another")
    for kind in ("normal", "pubsub"):
        secured.redis.client.client_kill_filter(_type=kind, skipme=True)
    wait_for(lambda: "; predictions go on" in api.log())
    wait_for(lambda: "invalid username-password" in failing.output())
    assert 503 in _ask_for_everything(answers)
    secured.redis.stop()
    wait_for(lambda: "onnection refused" in failing.output())
    assert 503 in _ask_for_everything(answers)
    failing.stop()
    api.ask_to_stop()
    wait_for(lambda: "Finished server process" in api.log())
    for text in (answers.text, api.log(), worker.output(), failing.output()):
        assert text
        _assert_none_of(SECRETS, text)


@pytest.mark.parametrize("module", ["api", "worker.celery_app", "worker.sign", "local"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"REDIS_URL": f"http://:{REDIS_PASSWORD}@localhost"},
        pytest.param({"API_WORKERS": "many"}, marks=pytest.mark.thorough),
    ],
)
def test_no_secret_is_shown_by_a_program_that_its_settings_do_not_let_start(
    tmp_path: Path, module: str, wrong: dict[str, str]
) -> None:
    settings = {
        "REDIS_URL": f"redis://:{REDIS_PASSWORD}@localhost",
        "SIGNING_KEY": SIGNING_KEY,
        "API_KEY": API_KEY,
        **wrong,
    }
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=tmp_path,
        env=environment_of(settings),
        capture_output=True,
        text=True,
        timeout=LONG_SECONDS,
    )
    assert done.returncode != 0
    (name,) = wrong
    assert name.lower() in (done.stdout + done.stderr).lower()
    _assert_none_of(SECRETS, done.stdout + done.stderr)
