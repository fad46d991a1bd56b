"""A running API goes from one schema to another and back: each answer is of one version whole."""

import json
import threading
from collections import Counter
from typing import Any

import httpx2 as httpx

from shared.runtime.redis_keys import VERSION
from tests.support.examples import publish_example
from tests.support.processes import LONG_SECONDS, Api, Stack, wait_for
from tests.support.titanic import EXAMPLES
from tests.support.versions import definition, publish

_SWAPS = 12
PENGUINS = [dict(record) for record in definition("penguins").schema.examples]


class _Client(threading.Thread):
    """Asks for records of one schema on and on, some requests so large that a thread predicts."""

    def __init__(self, api: Api, records: list[dict[str, Any]]) -> None:
        super().__init__()
        self.answers: Counter[tuple[int, str, str]] = Counter()
        """Status, version, and what the predictions are."""
        self.done = threading.Event()
        self._url = str(api.http.base_url)
        self._bodies = [json.dumps(records * copies) for copies in (1, 5, 1000)]

    def run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=LONG_SECONDS) as client:
            while not self.done.is_set():
                for body in self._bodies:
                    answer = client.post("/predict", content=body)
                    version = answer.headers.get("X-Model-Version", "none")
                    found = answer.json()
                    kinds = {type(each).__name__ for each in found.get("predictions", [])}
                    if answer.status_code == 200:
                        assert found["model_version"] == version
                        assert len(found["predictions"]) == body.count("{")
                    self.answers[answer.status_code, version, "".join(kinds)] += 1


def test_from_one_schema_to_another_and_back_no_answer_is_mixed(stack: Stack) -> None:
    titanic = publish(stack.models_dir)
    penguins = publish_example(stack.models_dir, "penguins")
    stack.redis.client.set(VERSION, titanic)
    api = stack.start_api(processes=1)
    wait_for(lambda: api.http.get("/health/ready").json()["model_version"] == titanic)
    clients = [_Client(api, EXAMPLES), _Client(api, EXAMPLES)]
    clients += [_Client(api, PENGUINS), _Client(api, PENGUINS)]
    for client in clients:
        client.start()
    for turn in range(_SWAPS):
        chosen = titanic if turn % 2 else penguins
        stack.redis.client.set(VERSION, chosen)
        wait_for(lambda v=chosen: api.http.get("/health/ready").json()["model_version"] == v)  # type: ignore[misc]
        # Each client has been answered by this version, too.
        before = [sum(client.answers.values()) for client in clients]
        wait_for(
            lambda b=before: all(  # type: ignore[misc]
                sum(client.answers.values()) > count + 2
                for client, count in zip(clients, b, strict=True)
            )
        )
    for client in clients:
        client.done.set()
        client.join()
    for client in clients[:2]:
        assert {*client.answers} == {(200, titanic, "int"), (422, penguins, "")}
    for client in clients[2:]:
        assert {*client.answers} == {(200, penguins, "str"), (422, titanic, "")}


def test_what_describes_a_model_follows_the_served_version(stack: Stack) -> None:
    titanic = publish(stack.models_dir)
    diabetes = publish_example(stack.models_dir, "diabetes")
    api = stack.start_api(processes=1)
    for version, label, tensors in [
        (titanic, "Survived", ["label", "probabilities"]),
        (diabetes, "progression", ["prediction"]),
        (titanic, "Survived", ["label", "probabilities"]),
    ]:
        stack.redis.client.set(VERSION, version)
        wait_for(lambda v=version: api.http.get("/health/ready").json()["model_version"] == v)  # type: ignore[misc]
        document = api.http.get("/openapi.json").json()
        assert document["paths"]["/predict"]["post"]["x-label"] == label
        described = api.http.get("/v2/models/lifeboat").json()
        assert [tensor["name"] for tensor in described["outputs"]] == tensors
        example = document["paths"]["/predict"]["post"]["requestBody"]["content"]
        records = example["application/json"]["example"]
        assert api.http.post("/predict", json=records).json()["model_version"] == version


def test_a_choice_that_would_break_requests_is_made_only_if_that_is_said(stack: Stack) -> None:
    titanic = publish(stack.models_dir)
    diabetes = publish_example(stack.models_dir, "diabetes")
    stack.redis.client.set(VERSION, titanic)
    api = stack.start_api(processes=1)
    wait_for(lambda: api.http.get("/health/ready").json()["model_version"] == titanic)
    refused = api.http.put("/models/current", json={"model_version": diabetes})
    assert refused.status_code == 409
    said = refused.json()["detail"]
    assert f"model version {diabetes} does not answer all that {titanic} answers: " in said
    assert "the kind was binary and is regression" in said and "allow_schema_change" in said
    assert stack.redis.client.get(VERSION) == titanic
    choice = {"model_version": diabetes, "allow_schema_change": True}
    assert api.http.put("/models/current", json=choice).status_code == 200
    wait_for(lambda: api.http.get("/health/ready").json()["model_version"] == diabetes)
    # The same holds of the way back.
    assert api.http.put("/models/current", json={"model_version": titanic}).status_code == 409
