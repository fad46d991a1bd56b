"""What a cloud function costs: `make bench-functions`.

Each provider's own runtime runs the function, over a bucket of S3's protocol on this machine: from
the start of its process to its first answer, and then one call after the other, with
`current.json` asked for every 30 s, and at each call.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.results import percentile
from shared.versions import current
from shared.versions.storage.bucket import BucketStorage
from tests.support.functions import PROVIDERS, Function, pack, running
from tests.support.versions import publish
from tests.support.weed import BucketServer, bucket_server

STARTS = 5
CALLS = 2000
FROZEN_CALLS = 10
_AT_EACH_CALL = 0.0
_BODY = json.dumps(
    [{"Pclass": 1, "Sex": "female", "Age": 29, "Fare": 211.3, "Embarked": "S"}]
).encode()


def cold(provider: str, folder: Path, variables: dict[str, str]) -> list[float]:
    """Return the seconds from each start of a process to its first answer."""
    packed = pack(provider, folder / f"{provider}-cold")
    found = []
    for _ in range(STARTS):
        began = time.monotonic()
        with running(provider, packed, variables) as function:
            _predict(function)
            found.append(time.monotonic() - began)
    return found


def warm(
    provider: str, folder: Path, variables: dict[str, str], recheck_seconds: float | None
) -> list[float]:
    """Return the milliseconds of each call."""
    packed = pack(provider, folder / f"{provider}-warm-{recheck_seconds}", recheck_seconds)
    found = []
    with running(provider, packed, variables) as function:
        for _ in range(CALLS):
            began = time.monotonic()
            _predict(function)
            found.append(1000 * (time.monotonic() - began))
    # The first of them starts what is lazy.
    return found[10:]


def frozen(provider: str, folder: Path, server: BucketServer, variables: dict[str, str]) -> float:
    """Return the median milliseconds of a call that asks a bucket which does not answer."""
    packed = pack(provider, folder / f"{provider}-frozen", _AT_EACH_CALL)
    found = []
    with running(provider, packed, variables) as function:
        _predict(function)
        server.freeze()
        try:
            for _ in range(FROZEN_CALLS):
                began = time.monotonic()
                _predict(function)
                found.append(1000 * (time.monotonic() - began))
        finally:
            server.thaw()
    return statistics.median(found)


def _predict(function: Function) -> None:
    answer = function.call("POST", "/predict", _BODY, {"content-type": "application/json"})
    assert answer.status == 200, answer


def _fill(server: BucketServer) -> dict[str, str]:
    client = server.client(prefix="models")
    storage = BucketStorage(server.url(), client, client)
    current.write(storage, publish(storage))
    return server.variables | {"LIFEBOAT_MODELS": server.url()}


def main() -> None:
    print(f"{STARTS} starts; {CALLS} calls of one record, one after the other\n")
    print(
        "| | first answer after the start: median, worst (s) | every 30 s: p50, p99 (ms) |", end=""
    )
    print(" at each call: p50, p99 (ms) |", end="")
    print(" at each call, bucket frozen: median (ms) |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with bucket_server(folder / "weed") as server:
            variables = _fill(server)
            for provider in PROVIDERS:
                starts = cold(provider, folder, variables)
                cells = [f"{statistics.median(starts):.2f}, {max(starts):.2f}"]
                for seconds in (None, _AT_EACH_CALL):
                    calls = warm(provider, folder, variables, seconds)
                    cells.append(f"{statistics.median(calls):.2f}, {percentile(calls, 99):.2f}")
                cells.append(f"{frozen(provider, folder, server, variables):.0f}")
                print(f"| {provider} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
