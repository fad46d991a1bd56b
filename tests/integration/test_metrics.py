"""What `/metrics` says, over two real processes, of which any may answer."""

import bisect
import os
import re
import signal
from collections import Counter

import psutil
import pytest

from shared.runtime.redis_keys import VERSION
from tests.support.processes import Api, Stack, children, http_client, wait_for
from tests.support.versions import publish

PROCESSES = 2
BOUNDS = [tenths / 10 for tenths in range(1, 11)]

Samples = dict[str, float]


def scrape(api: Api) -> Samples:
    """On a connection of its own: from whichever process accepts it."""
    with http_client(api.url) as http:
        answer = http.get("/metrics")
    assert answer.status_code == 200
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def scrape_with_jobs(api: Api) -> Samples:
    """A scrape says nothing of jobs when Redis does not answer in half a second; then another."""

    def with_jobs() -> Samples | None:
        samples = scrape(api)
        return samples if "lifeboat_queue_length" in samples else None

    return wait_for(with_jobs)


def versions(samples: Samples) -> dict[str, float]:
    """Served version -> processes."""
    found = [(re.fullmatch(r'lifeboat_model_info\{model_version="(.*)"\}', s), s) for s in samples]
    return {match[1]: samples[name] for match, name in found if match}


def predicted(samples: Samples) -> list[float]:
    """Rows, rows by label, and rows by bucket of their probability."""
    buckets = [*map(str, BOUNDS), "+Inf"]
    return [
        samples["lifeboat_predicted_rows_total"],
        *(samples[f'lifeboat_predictions_total{{label="{label}"}}'] for label in "01"),
        *(samples[f'lifeboat_predicted_probability_bucket{{le="{le}"}}'] for le in buckets),
    ]


def tallied(labels: list[int], probabilities: list[float]) -> list[float]:
    """The same of what was answered."""
    at = Counter(bisect.bisect_left(BOUNDS, p) for p in probabilities)
    buckets = [sum(at[i] for i in range(bound + 1)) for bound in range(len(BOUNDS) + 1)]
    return [len(labels), labels.count(0), labels.count(1), *buckets]


@pytest.fixture
def api(stack: Stack) -> Api:
    version = publish(stack.models_dir)
    stack.redis.client.set(VERSION, version)
    api = stack.start_api(processes=PROCESSES)
    # A start is over after 5 s, with or without a model.
    wait_for(lambda: versions(scrape(api)) == {version: PROCESSES})
    return api


def test_every_prediction_of_every_process_is_counted_once(api: Api) -> None:
    labels: list[int] = []
    probabilities: list[float] = []

    def note(answered_labels: list[int], answered_probabilities: list[float]) -> None:
        labels.extend(answered_labels)
        probabilities.extend(answered_probabilities)

    passengers = [
        {"Sex": sex, "Age": age, "Fare": fare, "Pclass": pclass}
        for sex in ("male", "female")
        for age in range(1, 80, 7)
        for fare in (5, 40, 200)
        for pclass in (1, 2, 3)
    ]
    tensors = {
        "inputs": [
            {
                "name": "Sex",
                "datatype": "BYTES",
                "shape": [2, 1],
                "data": ["male", "female"],
            }
        ]
    }
    for number, passenger in enumerate(passengers):
        # A new connection each time, so that both processes get some.
        with http_client(api.url) as http:
            # One by one, some hundred on the event loop, and so many that a thread predicts them.
            rows = {0: passengers, 1: passengers * 20}.get(number, [passenger])
            answer = http.post("/predict", json=rows).json()
            note(answer["predictions"], answer["probabilities"])
    answer = api.http.post("/v2/models/lifeboat/infer", json=tensors).json()
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    note(outputs["label"], outputs["probabilities"])
    assert 0 < labels.count(0) < len(labels)

    expected = tallied(labels, probabilities)
    wait_for(lambda: predicted(scrape(api)) == expected, why=f"{predicted(scrape(api))}")
    for _ in range(8):
        samples = scrape(api)
        assert predicted(samples) == expected
        total = samples["lifeboat_predicted_probability_sum"]
        assert total == pytest.approx(sum(probabilities), rel=1e-6)


@pytest.mark.thorough
def test_the_info_tells_what_all_processes_serve_and_forgets_the_dead(
    stack: Stack, api: Api
) -> None:
    first = api.version()
    assert first is not None
    for _ in range(8):
        assert versions(scrape(api)) == {first: PROCESSES}
    # One is held up and serves the old version on; the other swaps.
    held, killed = [child.pid for child in _serving(api)]
    second = publish(stack.models_dir)
    os.kill(held, signal.SIGSTOP)
    try:
        stack.redis.client.set(VERSION, second)
        wait_for(lambda: versions(scrape(api)) == {first: 1, second: 1})
    finally:
        os.kill(held, signal.SIGCONT)
    wait_for(lambda: versions(scrape(api)) == {second: PROCESSES})
    os.kill(killed, signal.SIGKILL)
    # Its successor is counted in its place.
    wait_for(lambda: not psutil.pid_exists(killed))
    wait_for(lambda: versions(scrape(api)) == {second: PROCESSES})


def test_many_swaps_leave_one_series_and_are_counted_and_timed(stack: Stack, api: Api) -> None:
    first = str(api.version())
    versions_there = [first, publish(stack.models_dir)]
    before = scrape(api)
    assert before["lifeboat_model_swaps_total"] == PROCESSES
    for number in range(20):
        version = versions_there[(number + 1) % 2]
        stack.redis.client.set(VERSION, version)
        wait_for(lambda v=version: versions(scrape(api)) == {v: PROCESSES})  # type: ignore[misc]
    after = scrape(api)
    swaps = after["lifeboat_model_swaps_total"]
    assert swaps == PROCESSES * 21
    assert after["lifeboat_model_swap_duration_seconds_count"] == swaps
    assert after["lifeboat_model_swap_duration_seconds_sum"] > 0
    # Requests have series by route and status, of which the test may have met new ones.
    new = {name.partition("{")[0] for name in after.keys() - before.keys()}
    assert not {name for name in new if "http_request" not in name}
    assert len(versions(after)) == 1


@pytest.mark.thorough
def test_jobs_are_told_by_every_process_while_redis_answers(stack: Stack, api: Api) -> None:
    def queued() -> float:
        return scrape_with_jobs(api)["lifeboat_queue_length"]

    def cancelled() -> float:
        return scrape_with_jobs(api)['lifeboat_job_duration_seconds_count{outcome="cancelled"}']

    assert queued() == 0
    job_id = api.run_pipeline()
    assert [queued() for _ in range(4)] == [1] * 4
    assert cancelled() == 0
    api.http.delete(f"/jobs/{job_id}")
    assert cancelled() == 1

    # A frozen Redis holds the scrape up for half a second at most, and one that is known to be away
    # not at all. What needs no Redis is told all the while.
    for away, back in (
        (stack.redis.freeze, stack.redis.thaw),
        (stack.redis.kill, stack.redis.start),
    ):
        away()
        samples = scrape(api)
        assert "lifeboat_queue_length" not in samples
        assert not [name for name in samples if "job_duration" in name]
        assert versions(samples) == {api.version(): PROCESSES}
        wait_for(lambda: scrape(api)["lifeboat_redis_up"] == 0)
        back()
        # The lowest over both processes.
        wait_for(lambda: scrape(api)["lifeboat_redis_up"] == 1)
        assert queued() == 0
        assert cancelled() == 1
    stack.redis.client.flushall()
    assert cancelled() == 0


def _serving(api: Api) -> list[psutil.Process]:
    """The API's processes; Python's resource tracker is none."""
    return [c for c in children(api.pid) if "resource_tracker" not in " ".join(c.cmdline())]
