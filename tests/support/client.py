"""A client of a running Lifeboat, in the words of its contract; it needs nothing but httpx2."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx2 as httpx

LONG_SECONDS = 100.0
"""Longer than anything takes that a test waits for, also on a machine that has much else to do."""
RUN_SECONDS = 200.0
"""The same of a training run, which leaves the processor to whatever else wants it."""

_T = TypeVar("_T")


def wait_for(
    what: Callable[[], _T | None],
    *,
    seconds: float = LONG_SECONDS,
    pause: float = 0.05,
    why: str | Callable[[], object] = "",
) -> _T:
    """Ask again until the answer is true; return it.

    The deadline only bounds a test that has failed. A function as `why` is called then.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        if time.monotonic() > deadline:
            reason = why if isinstance(why, str) else why()
            raise AssertionError(f"waited {seconds:g} s in vain{reason and ': '}{reason}")
        time.sleep(pause)


def http_client(url: str) -> httpx.Client:
    """A client with a connection of its own; without TLS, whose set-up takes 50 ms."""
    return httpx.Client(base_url=url, timeout=LONG_SECONDS, verify=False)


class Client:
    """An API at a URL, whoever has started it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = http_client(url)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def is_live(self) -> bool:
        try:
            return self.http.get("/health/live").status_code == 200
        except httpx.HTTPError:
            return False

    def predict(self, *passengers: dict[str, object]) -> httpx.Response:
        return self.http.post("/predict", json=list(passengers) or [{"Sex": "male"}])

    def version(self) -> str | None:
        """The version that answers a prediction; None while there is no model."""
        # Without a record, which fits any schema.
        answer = self.http.post("/predict", json=[])
        return str(answer.json()["model_version"]) if answer.status_code == 200 else None

    def wait_for_version(self, version: str) -> None:
        wait_for(
            lambda: self.version() == version,
            why=lambda: f"{version} is not served, {self.version()} is",
        )

    def version_everywhere(self) -> str | None:
        """The version that every process serves; None while they differ, or have no model.

        After a swap, the next connection may be to a process that has not followed yet.
        """
        answer = self.http.get("/processes")
        assert answer.status_code == 200, answer.text
        versions: set[str | None] = {
            process["model_version"] for process in answer.json()["processes"]
        }
        return versions.pop() if len(versions) == 1 else None

    def run_pipeline(self, *, force: bool = False) -> str:
        answer = self.http.put("/run-pipeline", params={"force": str(force).lower()})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def job(self, job_id: str) -> dict[str, object]:
        answer = self.http.get(f"/jobs/{job_id}")
        assert answer.status_code == 200, answer.text
        body: dict[str, object] = answer.json()
        return body

    def wait_for_stage(self, job_id: str, stage: str) -> None:
        wait_for(lambda: self.job(job_id)["stage"] == stage, why=lambda: self.job(job_id))

    def wait_for_end(self, job_id: str, *, seconds: float = RUN_SECONDS) -> dict[str, object]:
        def ended() -> dict[str, object] | None:
            job = self.job(job_id)
            return job if job["status"] not in ("queued", "running") else None

        return wait_for(ended, seconds=seconds, why=lambda: f"it does not end: {self.job(job_id)}")
