"""Traces of real processes: one from the call that asks for a run to the run's last stage."""

from collections.abc import Iterator

import pytest

from shared.jobs.job import Stage
from shared.runtime.redis_keys import VERSION, job
from tests.support.processes import ROOT, Stack, http_client, wait_for
from tests.support.trace_collector import Collector, Span, collector
from tests.support.versions import publish

_TRACE, _SPAN = "1" * 32, "2" * 16
TRACEPARENT = f"00-{_TRACE}-{_SPAN}-01"
_SERVER = 2


@pytest.fixture
def collected(stack: Stack) -> Iterator[Collector]:
    """Where the processes of `stack` send their spans."""
    # A model, so that nobody but the test asks for a run.
    stack.redis.client.set(VERSION, publish(stack.models_dir, roc_auc=0.5))
    with collector() as found:
        stack.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = found.url
        # By default spans wait for 5 s.
        stack.environment["OTEL_BSP_SCHEDULE_DELAY"] = "100"
        yield found


def _one(spans: list[Span], name: str) -> Span:
    (span,) = [span for span in spans if span.name == name]
    return span


def test_a_run_is_in_the_trace_of_the_call_that_asked_for_it(
    stack: Stack, collected: Collector
) -> None:
    worker, api = stack.start_worker(), stack.start_api(processes=2)
    asked = api.http.put(
        "/run-pipeline", headers={"traceparent": TRACEPARENT, "X-Request-ID": "asked"}
    )
    job_id = asked.json()["job_id"]
    assert api.wait_for_end(job_id)["status"] == "succeeded"
    # Each process sends its own, a moment after they have ended.
    last = {"PUT /run-pipeline", "train"}
    wait_for(lambda: last <= {span.name for span in collected.trace(_TRACE)})
    spans = collected.trace(_TRACE)

    call = _one(spans, "PUT /run-pipeline")
    assert (call.service, call.kind, call.parent_id) == ("lifeboat-api", _SERVER, _SPAN)
    assert call.attributes == {
        "http.request.method": "PUT",
        "http.route": "/run-pipeline",
        "http.response.status_code": 202,
        "lifeboat.request_id": "asked",
    }
    run = _one(spans, "train")
    assert (run.service, run.parent_id) == ("lifeboat-worker", call.span_id)
    assert run.attributes == {"lifeboat.job_id": job_id, "lifeboat.attempt": 1}
    stages = [span for span in spans if span.parent_id == run.span_id]
    assert [span.name for span in stages] == list(Stage)
    assert len(spans) == 2 + len(stages)

    # Where it was noted is nobody's but the worker's.
    assert stack.redis.client.hget(job(job_id), "traceparent")
    assert "traceparent" not in asked.text + api.http.get("/jobs").text
    assert "opentelemetry" not in (worker.output() + api.log()).lower()


@pytest.mark.thorough
def test_spans_are_sent_before_a_process_ends(stack: Stack, collected: Collector) -> None:
    stack.environment["OTEL_BSP_SCHEDULE_DELAY"] = "600000"
    stack.environment["OTEL_SERVICE_NAME"] = "boats"
    worker, api = stack.start_worker(), stack.start_api()
    assert api.wait_for_end(api.run_pipeline())["status"] == "succeeded"
    assert collected.spans == []
    worker.stop()
    assert {"train", *Stage} == {span.name for span in collected.spans}
    wait_for(api.version)
    with http_client(api.url) as http:
        http.post("/predict", json=[{"Sex": "male"}], headers={"traceparent": "nonsense"})
        http.post("/predict", content=b"[", headers={"traceparent": TRACEPARENT})
        http.get("/jobs/nonsense")
    assert "POST /predict" not in {span.name for span in collected.spans}
    api.stop()
    refused = _one(collected.trace(_TRACE), "POST /predict")
    assert refused.attributes["http.response.status_code"] == 422
    assert {span.service for span in collected.spans} == {"boats"}
    statuses = [span.attributes.get("http.response.status_code") for span in collected.spans]
    unknown = collected.spans[statuses.index(404)]
    assert (unknown.name, unknown.parent_id) == ("GET /jobs/{job_id}", "")
    predictions = [span for span in collected.spans if span.name == "POST /predict"]
    assert len({span.trace_id for span in predictions}) == len(predictions) > 1


@pytest.mark.thorough
def test_a_collector_that_is_away_holds_nothing_up(stack: Stack, collected: Collector) -> None:
    # Nobody listens there.
    stack.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    worker, api = stack.start_worker(), stack.start_api()
    assert api.wait_for_end(api.run_pipeline())["status"] == "succeeded"
    assert api.predict().status_code == 200
    api.stop()
    worker.stop()


def test_a_process_without_opentelemetry_says_what_to_install(
    stack: Stack, collected: Collector
) -> None:
    # FastAPI brings its interface, and what sends is not there: Python looks here when it starts.
    (stack.folder / "sitecustomize.py").write_text(
        "import sys\nsys.modules['opentelemetry.exporter'] = None\n"
    )
    stack.environment["PYTHONPATH"] = f"{stack.folder}:{ROOT}"
    api = stack.start_api()
    wait_for(api.version)
    (said,) = [line for line in api.log().splitlines() if "requirements/otel.txt" in line]
    assert "WARNING" in said and "LIFEBOAT_EXTRAS=otel" in said
    assert collected.spans == []
