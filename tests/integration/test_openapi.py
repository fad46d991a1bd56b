"""schemathesis asks whatever the OpenAPI document allows, and what it forbids."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.app import create_app
from shared.redis_keys import VERSION
from shared.settings import Settings
from tests.processes import Api, Stack
from tests.versions import publish

API_KEY = "sesame"

_document = TestClient(create_app(Settings(_env_file=None))).get("/openapi.json").json()
# The stream of a queued job has no end.
schema = schemathesis.openapi.from_dict(_document).exclude(path_regex="/events$")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A process with a model and Redis, and without a worker: runs stay queued."""
    stack = Stack(tmp_path_factory.mktemp("openapi"))
    version = publish(stack.models_dir)
    stack.redis.client.set(VERSION, version)
    api = stack.start_api(api_key=API_KEY)
    api.wait_for_version(version)
    yield api
    assert "Traceback" not in api.log()
    stack.end()


@schema.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_answer_is_documented(case: schemathesis.Case[Any], api: Api) -> None:
    # The document cannot say that a shape fits its data.
    of_tensors = case.operation.path.endswith("/infer")
    case.call_and_validate(
        base_url=api.url,
        headers={"X-API-Key": API_KEY},
        timeout=20,
        excluded_checks=[positive_data_acceptance] if of_tensors else [],
    )
