"""What needs no Redis of the job store; the rest is tested against one in the integration ring."""

from collections.abc import Callable
from typing import cast

import pytest
import redis

from shared.errors import JobNotFound
from shared.jobs.store import JobStore


class UntouchableRedis:
    def __getattr__(self, name: str) -> Callable[..., object]:
        def fail(*_: object, **__: object) -> object:
            pytest.fail(f"Redis was asked to {name}")

        return fail


@pytest.mark.parametrize("job_id", ["", "nonsense", "A" * 32, "0" * 31 + "/", "0" * 32 + "\n", "*"])
def test_a_malformed_id_is_unknown_and_never_becomes_a_key(job_id: str) -> None:
    store = JobStore(cast(redis.Redis, UntouchableRedis()))
    with pytest.raises(JobNotFound):
        store.get(job_id)
    with pytest.raises(JobNotFound):
        store.cancel(job_id)
    with pytest.raises(JobNotFound):
        store.changes(job_id, "0")


def test_the_message_of_an_unknown_id_does_not_grow_with_it() -> None:
    store = JobStore(cast(redis.Redis, UntouchableRedis()))
    with pytest.raises(JobNotFound) as refused:
        store.get("x" * 100_000)
    assert len(str(refused.value)) < 200
