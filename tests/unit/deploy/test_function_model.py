"""The model in a function's memory: how it is chosen, looked after, and kept."""

import threading
import time

import pytest

from deploy.functions import model as module
from deploy.functions.model import RECHECK_SECONDS, Model
from shared.errors import NoModelYet
from shared.versions import current
from shared.versions.manifest import ONNX_FILE
from shared.versions.reader import ModelReader
from shared.versions.storage.base import Content, StorageUnreachable
from shared.versions.storage.bucket import BucketStorage
from tests.support.bucket_in_memory import bucket_in_memory
from tests.support.client import wait_for
from tests.support.stored import flip_a_bit
from tests.support.versions import publish


class Clock:
    """The clock on the wall, which a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1e9
        monkeypatch.setattr(time, "time", lambda: self.now)

    def until_the_next_look(self) -> None:
        self.now += RECHECK_SECONDS


class Storage(BucketStorage):
    """A bucket that counts the looks at the note, and can refuse or stall."""

    def __init__(self) -> None:
        bucket = bucket_in_memory()
        super().__init__("memory://bucket", bucket._quick, bucket._patient)
        self.looks = 0
        self.refuses = False
        self.answers = threading.Event()
        self.answers.set()

    def read(self, key: str) -> bytes:
        assert self.answers.wait(30)
        return super().read(key)

    def read_if_changed(self, key: str, tag: str | None) -> Content | None:
        self.looks += 1
        if self.refuses:
            raise StorageUnreachable("the bucket does not answer")
        return super().read_if_changed(key, tag)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def model(storage: Storage, clock: Clock) -> Model:
    return Model(storage, ModelReader(storage))


def test_the_note_is_asked_for_at_the_first_call_and_then_now_and_then(
    storage: Storage, model: Model, clock: Clock
) -> None:
    first = chosen(storage)
    for _ in range(3):
        assert model.served().version == first
    second = chosen(storage)
    clock.now += RECHECK_SECONDS - 0.1
    assert model.served().version == first
    assert storage.looks == 1
    clock.now += 0.1
    assert model.served().version == second
    assert model.served().version == second
    assert storage.looks == 2


def test_a_clock_that_is_set_back_does_not_keep_newer_versions_away(
    storage: Storage, model: Model, clock: Clock
) -> None:
    chosen(storage)
    model.served()
    second = chosen(storage)
    clock.now -= 7200
    assert model.served().version == second


def test_a_version_is_loaded_once_if_the_note_stays(
    storage: Storage, model: Model, clock: Clock
) -> None:
    chosen(storage)
    first = model.served()
    clock.until_the_next_look()
    assert model.served() is first


def test_a_newer_version_that_is_damaged_is_tried_again_and_the_served_one_stays(
    storage: Storage, model: Model, clock: Clock
) -> None:
    first = chosen(storage)
    model.served()
    second = chosen(storage)
    sound = storage.read(f"{second}/{ONNX_FILE}")
    flip_a_bit(storage, second)
    clock.until_the_next_look()
    assert model.served().version == first
    storage.delete(f"{second}/{ONNX_FILE}")
    storage.create(f"{second}/{ONNX_FILE}", sound)
    clock.until_the_next_look()
    assert model.served().version == second


def test_without_a_sound_choice_the_newest_promoted_version_answers(
    storage: Storage, model: Model, clock: Clock
) -> None:
    promoted = publish(storage)
    publish(storage, outcome="rejected")
    second = chosen(storage)
    flip_a_bit(storage, second)
    assert model.served().version == promoted


def test_a_store_that_does_not_answer_changes_nothing(
    storage: Storage, model: Model, clock: Clock
) -> None:
    first = chosen(storage)
    model.served()
    storage.refuses = True
    clock.until_the_next_look()
    assert model.served().version == first


def test_a_load_that_takes_long_goes_on_behind_the_answers(
    storage: Storage, model: Model, clock: Clock
) -> None:
    first = chosen(storage)
    model.served()
    second = chosen(storage)
    storage.answers.clear()
    try:
        for _ in range(2):
            clock.until_the_next_look()
            began = time.monotonic()
            assert model.served().version == first
            assert time.monotonic() - began < 10, "the call has waited for the load"
        assert storage.looks == 2, "a second look has begun beside the first"
    finally:
        storage.answers.set()
    wait_for(lambda: model.served().version == second)


def test_calls_without_a_model_do_not_each_ask_the_store(
    storage: Storage, model: Model, clock: Clock
) -> None:
    storage.refuses = True
    for _ in range(3):
        with pytest.raises(NoModelYet, match="does not answer"):
            model.served()
    assert storage.looks == 1
    storage.refuses = False
    version = chosen(storage)
    clock.now += module.FAILED_SECONDS
    assert model.served().version == version


def test_a_store_without_versions_says_what_to_do(model: Model) -> None:
    with pytest.raises(NoModelYet, match="publish a model"):
        model.served()


def chosen(storage: Storage) -> str:
    version = publish(storage)
    current.write(storage, version)
    return version
