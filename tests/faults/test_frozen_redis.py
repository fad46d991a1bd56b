"""Redis frozen under many clients: each call of theirs is answered within a client's patience."""

import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

from tests.faults.conftest import Times
from tests.support.processes import Api, Stack, wait_for
from tests.support.versions import publish

PATIENCE_SECONDS = 3.0
"""The contract's own figure: a client's time-out would be set by it."""
STREAMS = 150


class Asked:
    """A request that has been sent, on a connection of its own; its answer is read later."""

    def __init__(self, api: Api, method: str, path: str) -> None:
        address = urlsplit(api.url)
        self._connection = socket.create_connection((address.hostname, address.port or 80))
        self._deadline = time.monotonic() + PATIENCE_SECONDS
        self._connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: lifeboat\r\n\r\n".encode())

    def status(self) -> int:
        """Raises TimeoutError when the client's patience is over before the answer begins."""
        self._connection.settimeout(max(0.001, self._deadline - time.monotonic()))
        return int(self._connection.recv(1000).split()[1])

    def read(self) -> bytes:
        self._connection.settimeout(PATIENCE_SECONDS)
        return self._connection.recv(100_000)

    def __enter__(self) -> "Asked":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def test_with_redis_frozen_every_one_of_many_calls_is_503_within_3_s(
    stack: Stack, times: Times
) -> None:
    version = publish(stack.models_dir)
    api = stack.start_api()
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
                with Asked(api, method, path) as call:
                    assert call.status() == 503, (method, path)
            with ExitStack() as open_calls:
                calls = [open_calls.enter_context(Asked(api, "GET", "/jobs")) for _ in range(150)]
                assert [call.status() for call in calls] == [503] * len(calls)
                assert api.version() == version
                with Asked(api, "GET", "/metrics") as call:
                    assert call.status() == 200
            stack.redis.thaw()
            wait_for(lambda: api.http.get("/jobs").status_code == 200)
        # The streams have outlived it, and end with their job.
        assert api.http.delete(f"/jobs/{job_id}").status_code == 202
        for stream in following:
            wait_for(lambda stream=stream: b"cancelled" in stream.read())  # type: ignore[misc]
