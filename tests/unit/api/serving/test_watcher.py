import logging
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import pytest
import redis
from prometheus_client import REGISTRY

from api.serving import watcher as module
from api.serving.replicas import Replicas
from api.serving.served_model import ServedModelHolder
from api.serving.watcher import Watcher
from shared.versions.manifest import ONNX_FILE
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore
from shared.versions.version_key import Reading, VersionKey
from tests.support.clock import FakeTime
from tests.support.versions import publish

AWAY = Reading(None, redis.ConnectionError("refused"))
MISSING = Reading(None)
UNKNOWN = "20200101-000000-000000"


def named(version: str) -> Reading:
    return Reading(version)


class FakeVersionKey:
    """Gives the readings of a script, and takes what is put back."""

    def __init__(self) -> None:
        self.readings: Iterable[Reading] = []
        self.error: Exception | None = None
        self.put: list[str] = []

    def follow(self, stop: threading.Event) -> Iterator[Reading]:
        yield from self.readings

    def put_back(self, version: str) -> None:
        if self.error is not None:
            raise self.error
        self.put.append(version)


class FakeReplicas:
    """What this process is noted to serve, and how often it has left."""

    def __init__(self) -> None:
        self.noted: list[str | None] = []
        self.left = 0
        self.error: Exception | None = None

    def note(self, version: str | None) -> None:
        if self.error is not None:
            raise self.error
        self.noted.append(version)

    def leave(self) -> None:
        if self.error is not None:
            raise self.error
        self.left += 1


class World:
    """A watcher of a real store and a scripted key."""

    def __init__(self, models_dir: Path, clock: FakeTime) -> None:
        self.key, self.holder, self.clock = FakeVersionKey(), ServedModelHolder(), clock
        self.store = ModelStore(LocalStorage(models_dir))
        self.replicas = FakeReplicas()
        self.watcher = Watcher(
            cast(VersionKey, self.key),
            self.store,
            self.holder,
            cast(Replicas, self.replicas),
            lambda _: b"{}",
        )

    def read(self, *readings: Reading, after: float = 0) -> str | None:
        """What is served when the watcher has had those readings."""
        self.clock.now += after
        self.key.readings = readings
        self.watcher.watch(threading.Event())
        return self.holder.version


@pytest.fixture
def world(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    clock = FakeTime()
    monkeypatch.setattr(module, "time", clock)
    return World(models_dir, clock)


def count(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0


def damage(models_dir: Path, version: str) -> str:
    (models_dir / version / ONNX_FILE).write_bytes(b"damaged")
    return version


# --- the version to start with -------------------------------------------------------------------


def test_the_key_is_the_choice_at_the_start(models_dir: Path, world: World) -> None:
    older, newer = publish(models_dir), publish(models_dir)
    world.store.set_current(newer)
    assert world.read(named(older)) == older


@pytest.mark.parametrize("reading", [AWAY, MISSING, named(UNKNOWN), named("../nonsense")])
def test_without_a_key_that_can_be_served_the_last_choice_is(
    models_dir: Path, world: World, reading: Reading
) -> None:
    older, _ = publish(models_dir), publish(models_dir)
    world.store.set_current(older)
    assert world.read(reading) == older


@pytest.mark.parametrize("current", [None, UNKNOWN, "damaged"])
def test_without_a_choice_that_can_be_served_the_newest_sound_promoted_version_is(
    models_dir: Path, world: World, current: str | None
) -> None:
    publish(models_dir)
    wanted = publish(models_dir)
    publish(models_dir, outcome="rejected")
    damaged = damage(models_dir, publish(models_dir))
    if current is not None:
        world.store.set_current(damaged if current == "damaged" else current)
    assert world.read(AWAY) == wanted


def test_a_rejected_version_is_served_when_it_was_chosen(models_dir: Path, world: World) -> None:
    publish(models_dir)
    rejected = publish(models_dir, outcome="rejected")
    assert world.read(named(rejected)) == rejected


@pytest.mark.parametrize("reading", [AWAY, MISSING, named(UNKNOWN)])
def test_with_nothing_to_serve_nothing_is(world: World, reading: Reading) -> None:
    assert world.read(reading) is None
    assert world.key.put == []


def test_a_volume_that_gets_its_first_version_later_is_served_then(
    models_dir: Path, world: World
) -> None:
    assert world.read(AWAY) is None
    version = publish(models_dir)
    assert world.read(AWAY) == version


def test_the_first_look_is_over_when_it_is_known_what_to_serve(
    models_dir: Path, world: World
) -> None:
    assert not world.watcher._looked.is_set()
    version = publish(models_dir)

    def one_reading() -> Iterator[Reading]:
        yield AWAY
        # Whoever waits is let go no earlier than the model is there.
        world.watcher.wait_for_first_look(0)
        assert world.holder.version == version

    world.key.readings = one_reading()
    world.watcher.watch(threading.Event())
    world.watcher.wait_for_first_look(3600)


# --- swapping ------------------------------------------------------------------------------------


def test_each_change_of_the_key_swaps_forth_and_back(models_dir: Path, world: World) -> None:
    first, second = publish(models_dir), publish(models_dir)
    swaps = count("lifeboat_model_swaps_total")
    assert world.read(named(first)) == first
    assert world.read(named(second)) == second
    assert world.read(named(first)) == first
    assert count("lifeboat_model_swaps_total") == swaps + 3


def test_a_version_that_is_served_is_not_loaded_again(models_dir: Path, world: World) -> None:
    version = publish(models_dir)
    world.read(named(version))
    served = world.holder.current
    world.read(named(version), named(version), AWAY, named(version))
    assert world.holder.current is served


def test_the_age_of_the_served_model_is_measured(models_dir: Path, world: World) -> None:
    version = publish(models_dir)
    world.read(named(version))
    created = world.store.manifest(version).created_at.timestamp()
    assert count("lifeboat_served_model_created_timestamp_seconds") == created


@pytest.mark.parametrize("bad", [UNKNOWN, "../nonsense", "damaged"])
def test_a_version_that_cannot_be_served_changes_nothing_and_is_told_once(
    models_dir: Path, world: World, caplog: pytest.LogCaptureFixture, bad: str
) -> None:
    good = publish(models_dir)
    if bad == "damaged":
        bad = damage(models_dir, publish(models_dir))
    world.read(named(good))
    served = world.holder.current
    failures = count("lifeboat_model_swap_failures_total")
    for _ in range(20):
        assert world.read(named(bad), after=1) == good
    assert world.holder.current is served
    assert count("lifeboat_model_swap_failures_total") == failures + 1
    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(told) == 1 and good in told[0].getMessage()
    assert world.key.put == [], "the choice is somebody's, and stays"


def test_a_refused_version_that_is_mended_is_served_within_seconds(
    models_dir: Path, world: World
) -> None:
    good, bad = publish(models_dir), publish(models_dir)
    content = (models_dir / bad / ONNX_FILE).read_bytes()
    damage(models_dir, bad)
    assert world.read(named(good), named(bad)) == good
    (models_dir / bad / ONNX_FILE).write_bytes(content)
    assert world.read(named(bad), after=1) == good
    assert world.read(named(bad), after=5) == bad


def test_a_version_refused_again_after_another_was_served_is_told_again(
    models_dir: Path, world: World
) -> None:
    first, second = publish(models_dir), publish(models_dir)
    failures = count("lifeboat_model_swap_failures_total")
    world.read(named(first), named(UNKNOWN), named(second), named(UNKNOWN))
    assert count("lifeboat_model_swap_failures_total") == failures + 2


# --- Redis ---------------------------------------------------------------------------------------


def test_a_missing_key_is_put_back(models_dir: Path, world: World) -> None:
    version = publish(models_dir)
    world.read(named(version))
    assert world.key.put == []
    assert world.read(MISSING) == version
    assert world.key.put == [version]


def test_what_the_volume_gave_is_put_where_the_key_is_missing(
    models_dir: Path, world: World
) -> None:
    version = publish(models_dir)
    world.read(MISSING)
    assert world.key.put == [version]


def test_while_redis_is_away_its_key_is_not_missing(models_dir: Path, world: World) -> None:
    version = publish(models_dir)
    assert world.read(named(version), AWAY, AWAY) == version
    assert world.key.put == []


def test_a_redis_that_goes_away_in_between_does_not_end_the_watch(
    models_dir: Path, world: World
) -> None:
    first, second = publish(models_dir), publish(models_dir)
    world.key.error = redis.ConnectionError("refused")
    assert world.read(named(first), MISSING, named(second)) == second


def test_what_is_served_is_noted_at_each_look_that_redis_answers_and_not_after_the_end(
    models_dir: Path, world: World
) -> None:
    first, second = publish(models_dir), publish(models_dir)
    world.read(named(first), AWAY, named(second), named(UNKNOWN))
    assert world.replicas.noted == [first, second, second]
    assert world.replicas.left == 1
    world.read(AWAY)
    assert world.replicas.left == 1


def test_a_note_that_redis_does_not_take_changes_nothing(models_dir: Path, world: World) -> None:
    first, second = publish(models_dir), publish(models_dir)
    world.replicas.error = redis.TimeoutError("frozen")
    assert world.read(named(first), named(second)) == second


def test_whether_redis_answers_is_known_and_measured_and_told_at_each_change(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for reading, answers in [(AWAY, False), (AWAY, False), (MISSING, True), (MISSING, True)]:
        world.read(reading)
        assert world.watcher.redis_answers is answers
        assert count("lifeboat_redis_up") == float(answers)
    told = [r.levelname for r in caplog.records if "Redis" in r.getMessage()]
    assert told == ["WARNING", "INFO"]
