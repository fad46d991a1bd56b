"""The wall clock jumps back an hour, in the worker and in the API, in the middle of a run."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shared.jobs.job import Stage
from shared.runtime import redis_keys
from shared.runtime.redis_keys import ACTIVE_JOB, VERSION
from tests.support.held_runs import HeldRuns
from tests.support.processes import RUN_SECONDS, Api, Stack, wait_for
from tests.support.versions import publish

pytestmark = pytest.mark.thorough

_SITECUSTOMIZE = '''
"""Python imports this at every start. Wall clocks are off by as many seconds as the file says."""

import ctypes
import datetime
import gc
import time
from pathlib import Path

_OFFSET = Path({offset!r})
_time, _time_ns = time.time, time.time_ns


def _offset():
    return int(_OFFSET.read_text())


def _now(cls, tz=None):
    return cls.fromtimestamp(time.time(), tz)


# The class stays the one that extensions in C know; only its method is another.
(_attributes,) = gc.get_referents(datetime.datetime.__dict__)
_attributes["now"] = classmethod(_now)
ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))

time.time = lambda: _time() + _offset()
time.time_ns = lambda: _time_ns() + _offset() * 10**9
'''


class Clock:
    """Of all processes that are started with it on their path."""

    def __init__(self, folder: Path) -> None:
        self._offset = folder / "offset"
        self.set_back(timedelta(0))
        text = _SITECUSTOMIZE.format(offset=str(self._offset))
        # Before what holds runs, which is there already and loads the product's modules.
        path = folder / "sitecustomize.py"
        path.write_text(text + path.read_text())

    def set_back(self, by: timedelta) -> None:
        # Renamed into place, because it is read at any moment.
        new = self._offset.with_suffix(".new")
        new.write_text(str(-round(by.total_seconds())))
        new.replace(self._offset)


@pytest.fixture
def clock(held_runs: HeldRuns) -> Clock:
    return Clock(held_runs.folder)


def _succeeded(api: Api, job_id: str, *, attempts: int) -> str:
    """The version that the job published and that is served."""
    job = api.wait_for_end(job_id)
    assert (job["status"], job["attempts"], job["progress"]) == ("succeeded", attempts, 1), job
    result = job["result"]
    assert isinstance(result, dict) and result["outcome"] == "promoted"
    version = str(result["model_version"])
    api.wait_for_version(version)
    return version


def _time(of: object) -> datetime:
    return datetime.fromisoformat(str(of))


def _beats(stack: Stack, job_id: str) -> int:
    return int(str(stack.redis.client.hget(redis_keys.job(job_id), "heartbeat")))


def test_a_clock_that_jumps_back_an_hour_in_a_run_disturbs_nothing(
    stack: Stack, clock: Clock, held_runs: HeldRuns
) -> None:
    first = publish(stack.models_dir, roc_auc=0.5)
    stack.redis.client.set(VERSION, first)
    api, worker = stack.start_api(processes=2), stack.start_worker()

    # Over the jump the run's heart beats on; the watches go on, too, and see its worker die.
    held_runs.hold_at(Stage.EVALUATE)
    interrupted = api.run_pipeline()
    wait_for(held_runs.is_any_held, seconds=RUN_SECONDS)
    clock.set_back(timedelta(hours=1))
    assert api.run_pipeline() == interrupted
    beats = _beats(stack, interrupted)
    wait_for(lambda: _beats(stack, interrupted) > beats + 1)
    worker.kill()
    held_runs.let_go()
    worker = stack.start_worker()
    second = _succeeded(api, interrupted, attempts=2)
    job = api.job(interrupted)
    assert _time(job["finished_at"]) < _time(job["started_at"]), "the clock has jumped"
    assert stack.redis.client.hget(redis_keys.job(interrupted), "deaths") == "1"
    assert stack.redis.client.get(ACTIVE_JOB) is None

    later = api.run_pipeline()
    assert later != interrupted
    third = _succeeded(api, later, attempts=1)
    assert stack.redis.client.get(ACTIVE_JOB) is None

    listed = api.http.get("/models").json()
    assert listed["serving"] == third
    versions = [version["model_version"] for version in listed["versions"]]
    assert versions == [third, second, first] == sorted(versions, reverse=True)
    made = [_time(version["created_at"]) for version in listed["versions"]]
    assert made[0] < made[2], "the clock has jumped"
    jobs = [job["job_id"] for job in api.http.get("/jobs").json()["jobs"]]
    assert jobs == [later, interrupted]
    assert api.http.put("/models/current", json={"model_version": first}).status_code == 200
    api.wait_for_version(first)
    assert "Traceback" not in api.log() + worker.output()
