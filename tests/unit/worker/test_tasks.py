import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import redis

from shared import resources
from shared.errors import BadTrainingData, RunCancelled, RunLost
from shared.jobs.attempts import AttemptStore
from shared.jobs.job import JobResult, JobStatus
from shared.jobs.steps import Hold
from shared.jobs.store import Origin
from shared.runtime import log_context, redis_keys
from shared.schema.compatibility import digest
from shared.settings import Settings
from shared.versions.manifest import Manifest
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from shared.versions.version_key import VersionKey
from tests.support.manifests import VERSION, manifest, write_manifest
from tests.support.versions import EXAMPLES, definition, gate, publish
from worker import tasks
from worker.attempt import shortened, worker_name
from worker.training.served import Look

JOB_ID = "a" * 32
NAME = worker_name(str(tasks.train.request.hostname), os.getppid())
AWAY = redis.ConnectionError("refused")


class FakeAttempts:
    """A job that can be claimed once, and remembers how it ended."""

    def __init__(self) -> None:
        self.attempt: int | None | Exception = 1
        self.claims = 0
        self.answer = Hold.HELD
        self.ends: list[tuple[JobStatus, str]] = []
        self.results: list[JobResult] = []
        self.unwanted: set[str] = set()

    def origin(self, job_id: str) -> Origin:
        return Origin(request_id="asked")

    def claim(self, job_id: str, worker: str) -> int | None:
        self.claims += 1
        if isinstance(self.attempt, Exception):
            raise self.attempt
        return self.attempt

    def beat(self, job_id: str, attempt: int) -> Hold:
        return Hold.HELD

    def succeed(self, job_id: str, attempt: int, result: JobResult) -> Hold:
        self.results.append(result)
        return self.answer

    def end(self, job_id: str, attempt: int, status: JobStatus, error: str) -> None:
        self.ends.append((status, error))

    def unwanted_versions(self) -> set[str]:
        return self.unwanted


class FakeKey:
    def __init__(self) -> None:
        self.version: str | None | Exception = None
        self.begun: set[str] = set()

    def get(self) -> str | None:
        if isinstance(self.version, Exception):
            raise self.version
        return self.version

    def served(self) -> set[str]:
        return set()

    def removals(self) -> set[str]:
        return self.begun

    @contextmanager
    def removal(self, version: str) -> Iterator[bool]:
        try:
            may_be_removed = self.get() != version
        except redis.RedisError as error:
            raise ConnectionError from error
        yield may_be_removed


class FakeRedis(dict[str, str]):
    """What is asked of Redis itself: which definition is trained."""

    def exists(self, key: str) -> int:
        return int(key in self)


class World:
    def __init__(self, models_dir: Path, patch: pytest.MonkeyPatch) -> None:
        self.jobs, self.key = FakeAttempts(), FakeKey()
        self.models_dir = models_dir
        self.redis = FakeRedis()
        self.runs = 0
        self._patch = patch
        settings = Settings(models_dir=models_dir, keep_versions=1, model=EXAMPLES / "titanic")
        self._settings = settings
        patch.setattr(tasks, "settings", settings)
        own = replace(
            resources.build(settings),
            redis=cast(redis.Redis, self.redis),
            attempts=cast(AttemptStore, self.jobs),
            version_key=cast(VersionKey, self.key),
            models=resources.model_store(settings, removal=self.key.removal),
        )
        patch.setattr(tasks, "_resources", lambda: own)

    def defined_by(self, folder: Path) -> None:
        self._patch.setattr(tasks, "settings", self._settings.model_copy(update={"model": folder}))

    def train(self, pipeline: Callable[..., Manifest]) -> None:
        """Runs the task with that in place of the pipeline."""

        def run_stages(*arguments: object, **options: object) -> Manifest:
            self.runs += 1
            return pipeline(*arguments, **options)

        self._patch.setattr("worker.training.stages.run_stages", run_stages)
        tasks.train(JOB_ID)

    def versions(self) -> set[str]:
        store = ModelStore(LocalStorage(self.models_dir))
        return {version.model_version for version in store.manifests()}


@pytest.fixture
def world(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(models_dir, monkeypatch)


def publishes(models_dir: Path, outcome: str = "promoted") -> Callable[..., Manifest]:
    def pipeline(*_: object, **__: object) -> Manifest:
        write_manifest(models_dir, VERSION, outcome)
        return manifest(VERSION, gate=gate(outcome))

    return pipeline


def test_what_is_logged_during_a_run_is_about_its_job_and_the_request_for_it(world: World) -> None:
    noted: list[tuple[str | None, str | None]] = []

    def note() -> None:
        noted.append((log_context.job_id.get(), log_context.request_id.get()))

    def pipeline(*_: object, **__: object) -> Manifest:
        note()
        raise RunCancelled

    world.train(pipeline)
    note()
    assert noted == [(JOB_ID, "asked"), (None, None)]


def raises(error: BaseException) -> Callable[..., Manifest]:
    def pipeline(*_: object, **__: object) -> Manifest:
        raise error

    return pipeline


@pytest.mark.parametrize("outcome", ["promoted", "rejected"])
def test_a_run_that_published_succeeds_with_what_the_gate_decided(
    world: World, outcome: str
) -> None:
    world.train(publishes(world.models_dir, outcome))
    (result,) = world.jobs.results
    assert (result.outcome, result.model_version) == (outcome, VERSION)
    assert world.jobs.ends == []


@pytest.mark.parametrize("attempt", [None, AWAY])
def test_a_job_that_cannot_be_claimed_is_not_run(world: World, attempt: Exception | None) -> None:
    world.jobs.attempt = attempt
    world.train(publishes(world.models_dir))
    assert world.runs == 0
    assert (world.jobs.results, world.jobs.ends) == ([], [])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BadTrainingData("t.csv lacks the column Age"), "t.csv lacks the column Age"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (PermissionError(13, "Permission denied"), "models volume"),
        (MemoryError("4 GiB"), "MemoryError: 4 GiB"),
        (RuntimeError("a bug"), "RuntimeError: a bug"),
    ],
)
def test_a_run_that_fails_says_why(world: World, error: Exception, said: str) -> None:
    world.train(raises(error))
    ((status, message),) = world.jobs.ends
    assert status is JobStatus.FAILED
    assert said in message


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("from xgboost_of_nobody import X", "xgboost_of_nobody, which is not installed"),
        ("def fit(:", "is not valid Python"),
        ("fit = nothing", "name 'nothing' is not defined"),
        ("import sys; sys.exit(3)", "SystemExit(3)"),
        ("raise OSError('libgomp.so.1: cannot open')", "OSError: libgomp.so.1"),
        ("Pipeline = None", "expected a function estimator()"),
    ],
)
def test_a_definition_that_is_broken_fails_the_job_at_once(
    world: World, tmp_path: Path, source: str, said: str
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "record.py").write_text((EXAMPLES / "titanic" / "record.py").read_text())
    (folder / "model.py").write_text(source)
    world.defined_by(folder)
    world.train(publishes(world.models_dir))
    ((status, message),) = world.jobs.ends
    assert (status, world.runs) == (JobStatus.FAILED, 0)
    assert "model.py" in message and said in message
    assert "models volume" not in message


def test_while_another_definition_is_trained_here_no_job_is_claimed(world: World) -> None:
    world.redis[redis_keys.waiting(NAME)] = "another worker"
    world.train(publishes(world.models_dir))
    assert (world.runs, world.jobs.claims) == (0, 0)


@pytest.mark.parametrize(("other", "is_run"), [("penguins", False), ("titanic", True)])
def test_a_job_that_was_claimed_too_early_fails_with_what_is_trained_here(
    world: World, other: str, is_run: bool
) -> None:
    schema = definition(other).schema
    held = {"digest": digest(schema), "record": schema.record, "worker": "other#1"}
    world.redis[redis_keys.DEFINITION] = json.dumps(held)
    world.train(publishes(world.models_dir))
    assert bool(world.runs) is is_run
    if not is_run:
        ((status, message),) = world.jobs.ends
        assert status is JobStatus.FAILED and "other#1 trains another definition" in message


def test_an_estimator_that_ends_its_process_fails_the_job(world: World) -> None:
    world.train(raises(SystemExit("no licence")))
    ((status, message),) = world.jobs.ends
    assert status is JobStatus.FAILED and "SystemExit('no licence')" in message


def test_a_long_error_is_shortened_in_the_record_and_whole_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.train(raises(ValueError("begin" + "x" * 100_000 + "\x1b[31m end")))
    ((_, message),) = world.jobs.ends
    assert len(message) < 2_100
    assert message.startswith("ValueError: begin") and "98,0" in message
    assert "\\x1b[31m end (the worker's log" in message
    assert "x" * 100_000 in caplog.text
    # Not through the log: pytest's processes cannot send it to each other.
    assert shortened("\ud800") == "\\ud800"


def test_a_run_that_is_cancelled_ends_so(world: World) -> None:
    world.train(raises(RunCancelled(JOB_ID)))
    assert world.jobs.ends == [(JobStatus.CANCELLED, "")]


def test_a_run_that_is_cancelled_at_its_last_step_leaves_no_version(world: World) -> None:
    world.jobs.answer = Hold.CANCEL_ASKED
    world.train(publishes(world.models_dir))
    assert world.jobs.ends == [(JobStatus.CANCELLED, "")]
    assert world.versions() == set()


def test_a_run_that_is_lost_writes_nothing_more_of_its_job(world: World) -> None:
    world.train(raises(RunLost(JOB_ID)))
    world.jobs.answer = Hold.LOST
    world.train(publishes(world.models_dir))
    assert world.jobs.ends == []


def test_the_gate_compares_with_the_key_and_else_with_the_last_choice(world: World) -> None:
    asked: list[str | None] = []

    def pipeline(*_: object, served: Look, **__: object) -> Manifest:
        compared = served().manifest
        asked.append(None if compared is None else compared.model_version)
        raise RunLost(JOB_ID)

    chosen, keyed = publish(world.models_dir), publish(world.models_dir)
    damaged = "20260101-000000-aaaaaa"
    write_manifest(world.models_dir, damaged)
    ModelStore(LocalStorage(world.models_dir)).set_current(chosen)
    # The API serves on what was chosen last when the key names nothing that it can serve.
    for key in (keyed, None, AWAY, damaged, "nonsense"):
        world.key.version = key
        world.train(pipeline)
    assert asked == [keyed, *[chosen] * 4]


OLD = [f"2025010{day}-000000-aaaaaa" for day in range(1, 4)]


def test_after_a_run_old_versions_go_but_not_the_served_and_the_chosen_ones(world: World) -> None:
    for version in OLD:
        write_manifest(world.models_dir, version)
    ModelStore(LocalStorage(world.models_dir)).set_current(OLD[0])
    world.key.version = OLD[1]
    world.train(publishes(world.models_dir))
    assert world.versions() == {OLD[0], OLD[1], VERSION}


def test_after_a_run_unwanted_versions_go_but_not_the_served_and_the_chosen_ones(
    world: World,
) -> None:
    for version in OLD:
        write_manifest(world.models_dir, version, "rejected")
    ModelStore(LocalStorage(world.models_dir)).set_current(OLD[0])
    world.key.version = OLD[1]
    world.jobs.unwanted = {*OLD, "20250109-000000-aaaaaa"}
    world.train(publishes(world.models_dir))
    assert world.versions() == {OLD[0], OLD[1], VERSION}


def test_a_removal_that_a_killed_worker_began_is_ended_after_the_next_run(world: World) -> None:
    for version in OLD:
        write_manifest(world.models_dir, version, "rejected")
    world.key.begun = {OLD[2], "20250109-000000-aaaaaa", "nonsense"}
    world.train(publishes(world.models_dir))
    assert world.versions() == {*OLD[:2], VERSION}


def test_a_cancelled_version_that_cannot_be_taken_back_is_left_to_a_later_run(world: World) -> None:
    world.jobs.answer = Hold.CANCEL_ASKED
    world.key.version = AWAY
    world.train(publishes(world.models_dir))
    assert world.jobs.ends == [(JobStatus.CANCELLED, "")]
    assert world.versions() == {VERSION}


def test_nothing_is_removed_while_redis_does_not_say_what_is_served(world: World) -> None:
    for version in OLD:
        write_manifest(world.models_dir, version)
    world.key.version = AWAY
    world.train(publishes(world.models_dir))
    assert world.versions() == {*OLD, VERSION}
