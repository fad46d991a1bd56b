"""How soon replicas that follow a bucket serve a version: `make bench-bucket`.

Three API processes without Redis poll a bucket of SeaweedFS each second. The time is from the swap
of `current.json` to the first answer with the new version, of each replica.
"""

import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

from shared import bucket
from shared.versions import current
from shared.versions.storage.bucket import BucketStorage
from tests.support.processes import Api, Stack
from tests.support.versions import publish
from tests.support.weed import bucket_server

_REPLICAS = 3
_CHANGES = 50
_LOOK_SECONDS = 0.005


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lifeboat-noticed-") as folder:
        path = Path(folder)
        (path / "stack").mkdir()
        with bucket_server(path / "weed") as server:
            os.environ.update(server.variables)
            url = server.url()
            client = bucket.client(bucket.parse(url), server.endpoint, 20)
            storage = BucketStorage(url, client, client)
            versions = [publish(storage) for _ in range(2)]
            current.write(storage, versions[0])
            stack = Stack(path / "stack", models=url, redis_url="none")
            stack.environment = server.variables
            try:
                replicas = [stack.start_api() for _ in range(_REPLICAS)]
                for api in replicas:
                    api.wait_for_version(versions[0])
                _report(
                    [_change(storage, versions[n % 2], replicas) for n in range(1, _CHANGES + 1)]
                )
            finally:
                stack.end()


def _change(storage: BucketStorage, version: str, replicas: list[Api]) -> list[float]:
    """Return the seconds until each replica serves the version."""
    # Polls are not to keep step with the changes.
    time.sleep(0.37)
    seconds = [0.0] * len(replicas)
    current.write(storage, version)
    began = time.monotonic()

    def watch(number: int) -> None:
        while replicas[number].version() != version:
            time.sleep(_LOOK_SECONDS)
        seconds[number] = time.monotonic() - began

    threads = [threading.Thread(target=watch, args=(number,)) for number in range(len(replicas))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


def _report(changes: list[list[float]]) -> None:
    each = [seconds for change in changes for seconds in change]
    last = [max(change) for change in changes]
    print(
        f"{len(changes)} changes, {_REPLICAS} replicas of a bucket, polled each second: a replica "
        f"serves the version after {statistics.median(each):.2f} s (median; worst "
        f"{max(each):.2f} s), all of them after {statistics.median(last):.2f} s (median; worst "
        f"{max(last):.2f} s)"
    )


if __name__ == "__main__":
    main()
