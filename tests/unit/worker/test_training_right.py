import threading
from pathlib import Path
from typing import Any, cast

import pytest
import redis

from shared.errors import DefinitionBroken
from shared.runtime import redis_keys
from tests.support.versions import EXAMPLES, definition
from worker.training_right import OwnDefinition, TrainingRight, read_schema

TITANIC, PENGUINS = definition("titanic").schema, definition("penguins").schema


class FakeRedis(dict[str, str]):
    """The strings of a Redis; what expires is removed by the test."""

    def set(self, key: str, value: str, nx: bool = False, ex: int = 0) -> bool:
        assert ex > 0
        if nx and key in self:
            return False
        self[key] = value
        return True

    def delete(self, key: str) -> None:
        self.pop(key, None)

    def exists(self, key: str) -> int:
        return int(key in self)


def right(fake: FakeRedis, worker: str) -> TrainingRight:
    return TrainingRight(cast(redis.Redis, fake), worker)


def test_workers_of_one_definition_share_the_right() -> None:
    fake = FakeRedis()
    first, second = right(fake, "a#1"), right(fake, "b#2")
    renamed = TITANIC.model_copy(update={"description": "Others.", "record": "Traveller"})
    assert [first.take(TITANIC), second.take(renamed), first.take(TITANIC)] == ["", "", ""]
    assert not first.is_waiting() and not second.is_waiting()


def test_the_second_definition_waits_until_the_worker_of_the_first_has_ended() -> None:
    fake = FakeRedis()
    first, second = right(fake, "a#1"), right(fake, "b#2")
    assert first.take(TITANIC) == ""
    said = second.take(PENGUINS)
    assert "a#1 trains another definition" in said
    assert "Passenger" in said and "Penguin" in said and "of its own" in said
    assert second.is_waiting() and not first.is_waiting()
    assert second.refusal(PENGUINS) == said
    # The first worker ended.
    fake.delete(redis_keys.DEFINITION)
    assert second.take(PENGUINS) == "" and not second.is_waiting()
    assert "b#2" in first.take(TITANIC)


def test_a_worker_whose_own_definition_changes_keeps_the_right() -> None:
    fake = FakeRedis()
    only = right(fake, "a#1")
    assert [only.take(TITANIC), only.take(PENGUINS)] == ["", ""]
    assert right(fake, "b#2").take(PENGUINS) == ""


@pytest.mark.parametrize("value", ["", "garbage", "[]", '{"worker": 1}', "null"])
def test_a_value_that_no_worker_wrote_is_nobodys(value: str) -> None:
    fake = FakeRedis({redis_keys.DEFINITION: value})
    assert right(fake, "a#1").take(TITANIC) == ""


@pytest.mark.parametrize("example", ["titanic", "diabetes"])
def test_a_schema_is_read_in_a_process_of_its_own(example: str) -> None:
    assert read_schema(EXAMPLES / example) == definition(example).schema


def test_a_broken_definition_is_told_in_its_own_sentence(tmp_path: Path) -> None:
    with pytest.raises(DefinitionBroken, match="LIFEBOAT_MODEL: expected a folder"):
        read_schema(tmp_path / "nowhere")


def test_a_definition_is_read_again_when_its_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []

    def schema(folder: Path) -> Any:
        read.append(folder)
        if len(read) == 1:
            raise DefinitionBroken("record.py: broken")
        return TITANIC

    monkeypatch.setattr("worker.training_right.read_schema", schema)
    monkeypatch.setattr("worker.training_right._RENEW_SECONDS", 0.0)
    own = OwnDefinition(tmp_path, right(FakeRedis(), "a#1"))
    looks = iter([False, False, False, True])

    class Stop(threading.Event):
        def is_set(self) -> bool:
            is_last = next(looks)
            if len(read) == 1 and own.broken:
                (tmp_path / "record.py").write_text("mended")
            return is_last

    own.follow(Stop())
    assert len(read) == 2
    assert (own.schema, own.broken, own.waits_for) == (TITANIC, "", "")
