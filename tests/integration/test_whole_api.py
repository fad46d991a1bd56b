"""The running API does what its OpenAPI document says, whatever is sent: schemathesis asks it."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core import NOT_SET
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.v2.messages import MODEL_NAME as NAME
from tests.support.processes import LONG_SECONDS, Api, Stack
from tests.support.titanic import openapi
from tests.support.versions import publish

KEY = "sesame"
DOCUMENT = openapi()
FOUND: Iterator[Any] = schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
OPERATIONS: dict[str, Any] = {found.ok().label: found.ok() for found in FOUND}
CALLS = [
    (label, mode)
    for label, operation in OPERATIONS.items()
    for mode in GenerationMode
    # What takes nothing can be asked for in one way only.
    if mode == GenerationMode.POSITIVE or operation.body or [*operation.iter_parameters()]
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """With a model, with Redis, and without a worker: nothing that is asked for is trained."""
    stack = Stack(tmp_path_factory.mktemp("asked"), api_key=KEY)
    version = publish(stack.models_dir)
    api = stack.start_api()
    api.wait_for_version(version)
    api.http.headers["X-API-Key"] = KEY
    yield api
    stack.end()


@pytest.mark.parametrize(("label", "mode"), CALLS)
def test_a_call_is_answered_as_documented(api: Api, label: str, mode: GenerationMode) -> None:
    # No schema can say that tensors have as many values as their shapes tell.
    excluded: list[Any] = [positive_data_acceptance] if label.endswith("/infer") else []

    @settings(
        derandomize=True,
        deadline=None,
        max_examples=15,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(case=OPERATIONS[label].as_strategy(mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(
            base_url=api.url,
            headers={"X-API-Key": KEY},
            excluded_checks=excluded,
            timeout=LONG_SECONDS,
        )

    ask()


def test_what_is_there_is_answered_as_documented(api: Api) -> None:
    """The ids above are made up, and name nothing."""
    job, version = {"job_id": api.run_pipeline(force=True)}, {"model_version": str(api.version())}
    asked: list[tuple[str, int, dict[str, str], Any]] = [
        ("GET /jobs", 200, {}, NOT_SET),
        ("GET /jobs/{job_id}", 200, job, NOT_SET),
        ("DELETE /jobs/{job_id}", 202, job, NOT_SET),
        ("DELETE /jobs/{job_id}", 409, job, NOT_SET),
        ("GET /jobs/{job_id}/events", 200, job, NOT_SET),
        ("GET /models", 200, {}, NOT_SET),
        ("GET /models/{model_version}", 200, version, NOT_SET),
        ("GET /models/{model_version}/plots/{plot}", 200, version | {"plot": "roc"}, NOT_SET),
        ("GET /processes", 200, {}, NOT_SET),
        ("PUT /models/current", 200, {}, version),
        ("GET /v2/models/{name}/versions/{model_version}", 200, {"name": NAME} | version, NOT_SET),
    ]
    for label, status, path, body in asked:
        case = OPERATIONS[label].Case(
            path_parameters=path, body=body, media_type="application/json"
        )
        answer = case.call(base_url=api.url, headers={"X-API-Key": KEY}, timeout=LONG_SECONDS)
        assert answer.status_code == status, label
        case.validate_response(answer)
