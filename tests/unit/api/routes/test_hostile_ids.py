"""Ids as clients may send them: what does not match its pattern touches neither path nor key."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import redis

from shared.jobs.job import Job, JobStatus
from shared.jobs.store import JobStore
from shared.versions.manifest import MANIFEST_FILE
from tests.support.manifests import write_manifest
from tests.support.versions import publish
from tests.unit.api.conftest import Start
from tests.unit.shared.jobs.test_job import job

JOB_ID = "0123456789abcdef" * 2
VERSION = "20260102-030405-abcdef"

HOSTILE_JOB_IDS = [
    *("..", "../..", "..\\..", ".", "*", "?" * 32, "[0-9]" * 32, "lifeboat:version", "%2e%2e"),
    *(JOB_ID + "\n", JOB_ID + "\r\n", JOB_ID + "\0", "\0" + JOB_ID, JOB_ID + "/.."),
    *(JOB_ID.upper(), JOB_ID[:-1], JOB_ID + "0", f" {JOB_ID}", JOB_ID + "\u2028", "x" * 5000),
    # Digits, but not ours: Arabic-Indic, and full-width.
    *("\u0660" * 32, "\uff10" * 32, "\U0001f600" * 32),
]
HOSTILE_VERSIONS = [
    *("..", "../..", "..\\..", ".", "current.json", "../secret", f"../{VERSION}", f"{VERSION}/.."),
    *(VERSION + "\n", VERSION + "\0", f"/{VERSION}", VERSION.upper(), "x" * 5000),
    *(f"./{VERSION}", f"{VERSION}/manifest.json", f"{VERSION}\0/..", "~", "%2e%2e", "*"),
    VERSION.replace("2", "\u0662"),
    VERSION.replace("2", "\uff12"),
]


class UntouchableRedis:
    def __getattr__(self, name: str) -> Callable[..., object]:
        def fail(*_: object, **__: object) -> object:
            raise AssertionError(f"Redis was asked to {name}")

        return fail


class UntouchableKey:
    def set(self, version: str) -> None:
        raise AssertionError(f"the version key was set to {version}")


@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("DELETE", ""), ("GET", "/events")])
@pytest.mark.parametrize("job_id", HOSTILE_JOB_IDS)
def test_a_job_id_that_is_none_is_404_and_never_a_key(
    start: Start, method: str, end: str, job_id: str
) -> None:
    client = start(jobs=JobStore(cast(redis.Redis, UntouchableRedis())))
    answer = client.request(method, f"/jobs/{escaped(job_id)}{end}")
    assert answer.status_code == 404
    assert answer.json()["detail"] and len(answer.content) < 1000


def escaped(name: str) -> str:
    """Each byte, so that no client and no server tidies the path up."""
    return "".join(f"%{byte:02x}" for byte in name.encode())


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that anything opens or looks at."""
    paths: list[str] = []
    for module, name in ((os, "stat"), (os, "open"), (os, "listdir"), (io, "open")):
        real = getattr(module, name)

        def noting(
            path: object, *rest: object, real: Callable[..., object] = real, **more: object
        ) -> object:
            paths.append(str(path))
            return real(path, *rest, **more)

        monkeypatch.setattr(module, name, noting)
    return paths


@pytest.mark.parametrize("version", HOSTILE_VERSIONS)
def test_a_version_that_is_none_is_404_and_never_a_path(
    start: Start, models_dir: Path, opened: list[str], version: str
) -> None:
    write_manifest(models_dir, VERSION)
    # What an escape would lead to.
    write_manifest(models_dir.parent, VERSION)
    client = start(version_key=UntouchableKey())
    opened.clear()
    for answer in (
        client.get(f"/models/{escaped(version)}"),
        client.get(f"/models/{escaped(version)}/plots/roc"),
        client.put("/models/current", json={"model_version": version}),
        client.get(f"/v2/models/lifeboat/versions/{escaped(version)}"),
    ):
        assert answer.status_code == 404
        assert len(answer.content) < 1000
    assert not [path for path in opened if path.startswith(str(models_dir.parent))]


@pytest.mark.parametrize("plot", HOSTILE_VERSIONS)
def test_a_plot_that_is_none_is_404_and_never_a_path(
    start: Start, models_dir: Path, opened: list[str], plot: str
) -> None:
    version = publish(models_dir)
    client = start()
    opened.clear()
    answer = client.get(f"/models/{version}/plots/{escaped(plot)}")
    assert answer.status_code == 404
    assert len(answer.content) < 1000
    folder = str(models_dir / version)
    looked_at = {path for path in opened if path.startswith(folder)}
    assert looked_at <= {folder, f"{folder}/{MANIFEST_FILE}"}


def test_the_version_itself_is_found(start: Start, models_dir: Path, opened: list[str]) -> None:
    """So that the tests above could fail."""
    write_manifest(models_dir, VERSION)
    client = start()
    opened.clear()
    assert client.get(f"/models/{escaped(VERSION)}").status_code == 200
    assert str(models_dir / VERSION / MANIFEST_FILE) in opened


# --- event ids -----------------------------------------------------------------------------------


class NotingJobs:
    """One job that has ended, and what its changes are asked after."""

    def __init__(self) -> None:
        self.after: list[str] = []

    def get(self, job_id: str) -> Job:
        return job(JobStatus.FAILED)

    def changes(self, job_id: str, after: str) -> list[tuple[str, Job]]:
        self.after.append(after)
        return [("5-0", job(JobStatus.FAILED))]


@pytest.mark.parametrize(
    ("event_id", "after"),
    [
        ("1700000000000-0", "1700000000000-0"),
        ("9" * 19 + "-" + "9" * 19, "9" * 19 + "-" + "9" * 19),
        *(
            (hostile, "0")
            for hostile in [
                *("", "0", "-", "+", "$", "(1-0", "1", "1-", "-1", "1-0-0", "1-*", "nonsense"),
                *("1" * 20 + "-0", "1-" + "1" * 20, "1-0 COUNT 1", "\u00b2-0", "1-\u00b9"),
                *("\u0661-\u0660", "x" * 5000),
            ]
        ),
    ],
)
def test_only_an_event_id_is_where_a_stream_resumes(
    start: Start, event_id: str, after: str
) -> None:
    jobs = NotingJobs()
    headers = [(b"Last-Event-ID", event_id.encode())]
    answer = start(jobs=jobs).get(f"/jobs/{JOB_ID}/events", headers=headers)
    assert answer.status_code == 200
    assert answer.text.startswith("id: 5-0\ndata: {")
    assert jobs.after == [after]


@pytest.mark.parametrize("event_id", ["5-0", "5-1", "9" * 19 + "-0"])
def test_after_the_last_change_of_a_job_there_is_nothing_to_wait_for(
    start: Start, event_id: str
) -> None:
    class NothingMore(NotingJobs):
        def changes(self, job_id: str, after: str) -> list[tuple[str, Job]]:
            return []

    headers = {"Last-Event-ID": event_id}
    answer = start(jobs=NothingMore()).get(f"/jobs/{JOB_ID}/events", headers=headers)
    # Only this status keeps an EventSource from connecting again.
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_process_has_so_many_event_streams_open_and_no_more(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start(jobs=NotingJobs())
    # A stream that has ended is open no more.
    for _ in range(3):
        monkeypatch.setattr("api.limits.STREAMS", 1)
        assert client.get(f"/jobs/{JOB_ID}/events").status_code == 200
    monkeypatch.setattr("api.limits.STREAMS", 0)
    answer = client.get(f"/jobs/{JOB_ID}/events")
    assert answer.status_code == 503 and "event streams" in answer.json()["detail"]
    assert answer.headers["Retry-After"]
