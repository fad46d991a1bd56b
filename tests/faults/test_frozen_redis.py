"""Redis frozen under many clients: each call of theirs is answered within a client's patience."""

import socket
import time
from contextlib import ExitStack
from functools import partial
from urllib.parse import urlsplit

from tests.faults.conftest import Times
from tests.support.patience import within_the_contracts_time
from tests.support.processes import LONG_SECONDS, Api, Stack, wait_for
from tests.support.versions import publish

STREAMS = 150


class Asked:
    """A request that has been sent, on a connection of its own; its answer is read later."""

    def __init__(self, api: Api, method: str, path: str) -> None:
        address = urlsplit(api.url)
        self._connection = socket.create_connection(
            (address.hostname, address.port or 80), LONG_SECONDS
        )
        self._answer = self._connection.makefile("rb")
        self._connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: lifeboat\r\n\r\n".encode())

    def status(self) -> int:
        return int(self._answer.readline().split()[1])

    def wait_for(self, said: bytes) -> None:
        """Read on until a line of the answer says so."""
        assert any(said in line for line in self._answer)

    def __enter__(self) -> "Asked":
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        self._connection.close()


def _answered(api: Api, method: str, path: str, status: int) -> None:
    with Asked(api, method, path) as call:
        assert call.status() == status, (method, path)


def _many_refused(api: Api) -> None:
    with ExitStack() as open_calls:
        calls = [open_calls.enter_context(Asked(api, "GET", "/jobs")) for _ in range(150)]
        assert [call.status() for call in calls] == [503] * len(calls)


def test_with_redis_frozen_every_one_of_many_calls_is_503_within_3_s(
    stack: Stack, times: Times
) -> None:
    tries = times(5, 1)
    version = publish(stack.models_dir)
    api = stack.start_api()
    api.wait_for_version(version)
    job_id = api.run_pipeline()
    events = f"/jobs/{job_id}/events"
    # So that it stays queued, and the streams open.
    assert api.job(job_id)["status"] == "queued"
    with ExitStack() as open_streams:
        following = [open_streams.enter_context(Asked(api, "GET", events)) for _ in range(STREAMS)]
        assert [stream.status() for stream in following] == [200] * STREAMS
        for _ in range(times(1, 10)):
            stack.redis.freeze()
            # By then every stream has looked, and waits for an answer or for a thread.
            time.sleep(1.0)
            for method, path in [
                ("GET", "/jobs"),
                ("GET", f"/jobs/{job_id}"),
                ("GET", "/processes"),
                ("GET", events),
                ("PUT", "/run-pipeline"),
                ("DELETE", f"/jobs/{job_id}"),
            ]:
                within_the_contracts_time(partial(_answered, api, method, path, 503), tries=tries)
            within_the_contracts_time(partial(_many_refused, api), tries=tries)
            assert api.version() == version
            within_the_contracts_time(partial(_answered, api, "GET", "/metrics", 200), tries=tries)
            stack.redis.thaw()
            wait_for(lambda: api.http.get("/jobs").status_code == 200)
        # The streams have outlived it, and end with their job.
        assert api.http.delete(f"/jobs/{job_id}").status_code == 202
        for stream in following:
            stream.wait_for(b"cancelled")
