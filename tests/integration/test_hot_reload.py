"""The version key changes: every process swaps, and no request notices."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from shared.runtime.redis_keys import VERSION
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from tests.support.connections import clients_of, to_each_process
from tests.support.processes import Api, Stack, wait_for
from tests.support.versions import publish


@contextlib.contextmanager
def _asked(api: Api, processes: int) -> Iterator[Callable[[], set[str]]]:
    """What the processes serve, each asked over a connection of its own."""
    with to_each_process(api, processes) as found:
        yield lambda: {connection.version() for connection in found.values()}


def test_training_while_predicting_fails_no_request(stack: Stack) -> None:
    first = publish(stack.models_dir, roc_auc=0.5)
    stack.redis.client.set(VERSION, first)
    stack.start_worker()
    api = stack.start_api(processes=2)
    ends: list[dict[str, object]] = []

    with clients_of(api, 1) as (client,):
        for seen in (1, 2, 3):
            # The client's process has swapped before the next run may end.
            wait_for(lambda n=seen: len(set(client.versions)) == n)  # type: ignore[misc]
            if seen < 3:
                ends.append(api.wait_for_end(api.run_pipeline()))
    assert client.failures == []
    assert [end["status"] for end in ends] == ["succeeded", "succeeded"]
    assert len(set(client.versions)) == 3
    assert client.versions == sorted(client.versions)


def test_the_key_set_by_hand_swaps_every_process_back_and_forth(stack: Stack) -> None:
    older, newer = publish(stack.models_dir), publish(stack.models_dir)
    api = stack.start_api(processes=3)
    with _asked(api, 3) as versions:
        for version in (older, newer, older):
            stack.redis.client.set(VERSION, version)
            wait_for(lambda v=version: versions() == {v})  # type: ignore[misc]


def test_a_lost_notification_leaves_no_process_behind(stack: Stack) -> None:
    older, newer = publish(stack.models_dir), publish(stack.models_dir)
    stack.redis.client.set(VERSION, older)
    api = stack.start_api(processes=2)
    with _asked(api, 2) as versions:
        wait_for(lambda: versions() == {older})
        stack.redis.client.config_set("notify-keyspace-events", "")
        stack.redis.client.set(VERSION, newer)
        wait_for(lambda: versions() == {newer})


def test_notifications_are_switched_on_where_a_server_has_them_off(stack: Stack) -> None:
    stack.redis.client.config_set("notify-keyspace-events", "gx")
    publish(stack.models_dir)
    stack.start_api()

    def flags() -> set[str]:
        name = "notify-keyspace-events"
        return set(stack.redis.client.config_get(name)[name] or "")

    # The API starts without Redis when that does not answer in time, and looks again.
    wait_for(lambda: {"K", "$", "g", "x"} <= flags())


def test_what_cannot_be_served_changes_nothing(stack: Stack) -> None:
    good, damaged = publish(stack.models_dir), publish(stack.models_dir)
    stack.redis.client.set(VERSION, good)
    api = stack.start_api(processes=2)
    (stack.models_dir / damaged / "manifest.json").unlink()

    unservable: list[str | bytes] = [
        damaged,
        "20200101-000000-abcdef",
        "../../etc",
        "nonsense",
        b"\xff\xfe",
    ]

    with clients_of(api, 1) as (client,):
        for value in unservable:
            stack.redis.client.set(VERSION, value)
            # Each of the two processes says so.
            named = value if isinstance(value, str) else value.decode(errors="replace")
            wait_for(lambda n=named: _refusals(api, n) == 2)  # type: ignore[misc]
    assert client.failures == []
    assert set(client.versions) == {good}
    # Counted after the line is logged.
    counted = "lifeboat_model_swap_failures_total 10.0"
    wait_for(lambda: counted in api.http.get("/metrics").text)


def _refusals(api: Api, version: str) -> int:
    return sum("refused" in line and version in line for line in api.log().splitlines())


@pytest.mark.thorough
def test_redis_emptied_serves_on_and_puts_the_choice_back(stack: Stack) -> None:
    chosen, newest = publish(stack.models_dir), publish(stack.models_dir)
    stack.redis.client.set(VERSION, newest)
    stack.start_worker()
    api = stack.start_api(processes=2)
    job_id = api.run_pipeline()
    api.wait_for_end(job_id)
    api.http.put("/models/current", json={"model_version": chosen})
    with _asked(api, 2) as versions:
        wait_for(lambda: versions() == {chosen})

    with clients_of(api, 1) as (client,):
        stack.redis.client.flushall()
        wait_for(lambda: stack.redis.client.get(VERSION) == chosen)
    assert client.failures == []
    assert set(client.versions) == {chosen}
    assert api.http.get(f"/jobs/{job_id}").status_code == 404
    assert api.wait_for_end(api.run_pipeline())["status"] == "succeeded"


def test_an_api_without_redis_starts_with_what_was_chosen_last(stack: Stack) -> None:
    publish(stack.models_dir)
    chosen = publish(stack.models_dir)
    newest = publish(stack.models_dir)
    rejected = publish(stack.models_dir, outcome="rejected")
    stack.start_worker()
    stack.redis.client.set(VERSION, chosen)
    store = ModelStore(LocalStorage(stack.models_dir))
    wait_for(lambda: store.current() == chosen, why="the worker mirrors the key")
    stack.redis.stop()
    # Without Redis, what is served first stays.
    stack.start_api().wait_for_version(chosen)

    (stack.models_dir / "current.json").unlink()
    assert newest != rejected
    stack.start_api().wait_for_version(newest)


def test_an_api_that_was_without_redis_follows_the_key_once_it_is_back(stack: Stack) -> None:
    older, newer = publish(stack.models_dir), publish(stack.models_dir)
    stack.redis.client.set(VERSION, older)
    stack.redis.stop()
    api = stack.start_api()
    api.wait_for_version(newer)
    stack.redis.start()
    api.wait_for_version(older)
