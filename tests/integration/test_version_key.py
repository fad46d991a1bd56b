"""The version key against a real server, whatever somebody has put there."""

import threading
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from shared.errors import VersionNotFound, VersionNotServable
from shared.runtime.redis_client import connect
from shared.runtime.redis_keys import LAST_REMOVAL, VERSION, removal
from shared.runtime.redis_url import RedisServer as Address
from shared.versions.version_key import VersionKey
from tests.support.processes import RedisServer

NAME, OTHER = "20260102-030405-abcdef", "20260102-030405-fedcba"


@pytest.mark.parametrize("named", ["20260102-030405-abcdef", "", "nonsense", "größer"])
def test_a_short_text_is_returned_as_it_is(server: RedisServer, named: str) -> None:
    server.client.set(VERSION, named)
    assert VersionKey(server.client).get() == named


@pytest.mark.parametrize("value", ["x" * 40_000_000, "\x1b[2J\n" * 5_000, b"\xff\x00"])
def test_anything_else_is_returned_short_and_printable(
    server: RedisServer, value: str | bytes
) -> None:
    server.client.set(VERSION, value)
    found = VersionKey(server.client).get()
    assert found is not None and found.isprintable() and len(found) < 400


def test_a_key_of_another_type_names_no_version_and_can_be_set(server: RedisServer) -> None:
    key = VersionKey(server.client)
    assert key.get() is None
    server.client.lpush(VERSION, "garbage")
    assert key.get() == "a list, and not a name"
    assert not key.put_back(NAME)
    assert key.get() == "a list, and not a name"
    key.choose(NAME, str)
    assert key.get() == NAME


def test_a_missing_key_is_put_back_and_another_choice_stays(server: RedisServer) -> None:
    key = VersionKey(server.client)
    assert key.put_back(NAME)
    assert not key.put_back(OTHER)
    assert key.get() == NAME


def test_what_is_chosen_cannot_be_removed(server: RedisServer) -> None:
    key = VersionKey(server.client)
    key.choose(NAME, str)
    with key.removal(NAME) as may_be_removed:
        assert not may_be_removed
    assert key.removals() == set()


def test_what_is_being_removed_can_be_neither_chosen_nor_put_back(server: RedisServer) -> None:
    key = VersionKey(server.client)
    with key.removal(NAME) as may_be_removed:
        assert may_be_removed and key.removals() == {NAME}
        with pytest.raises(VersionNotServable, match=f"{NAME} cannot be chosen"):
            key.choose(NAME, str)
        assert not key.put_back(NAME)
        key.choose(OTHER, str)
    assert key.removals() == set()
    key.choose(NAME, str)


def test_a_version_that_is_removed_after_it_was_found_sound_is_looked_at_again(
    server: RedisServer,
) -> None:
    """The removal, from its beginning to its end, falls between look and choice."""
    key, volume = VersionKey(server.client), {NAME, OTHER}

    def find_then_remove(version: str) -> None:
        if version not in volume:
            raise VersionNotFound(version)
        with key.removal(version) as may_be_removed:
            assert may_be_removed
            volume.remove(version)

    with pytest.raises(VersionNotFound):
        key.choose(NAME, find_then_remove)
    assert key.get() is None


def test_a_version_that_is_found_sound_while_it_is_removed_is_looked_at_again(
    server: RedisServer,
) -> None:
    """The look falls into the removal, before its files go, and the choice behind its end."""
    key, looks, removing = VersionKey(server.client), [NAME], ExitStack()
    assert removing.enter_context(key.removal(NAME))

    def find_in_the_midst(version: str) -> None:
        if not looks:
            raise VersionNotFound(version)
        looks.pop()
        removing.close()

    with pytest.raises(VersionNotFound):
        key.choose(NAME, find_in_the_midst)
    assert key.get() is None


def test_a_choice_gives_up_while_removals_go_on_and_on(server: RedisServer) -> None:
    key = VersionKey(server.client)

    def remove_another(_: str) -> None:
        with key.removal(OTHER):
            pass

    with pytest.raises(VersionNotServable, match="try again in a second"):
        key.choose(NAME, remove_another)


def test_a_removal_whose_process_died_keeps_others_from_choosing_until_it_is_forgotten(
    server: RedisServer,
) -> None:
    key = VersionKey(server.client)
    dead = key.removal(NAME)
    dead.__enter__()
    with pytest.raises(VersionNotServable):
        key.choose(NAME, str)
    key.forget_removals()
    key.choose(NAME, str)


def test_a_key_set_by_hand_wins_over_a_removal_that_was_not_ended(server: RedisServer) -> None:
    key = VersionKey(server.client)
    dead = key.removal(NAME)
    dead.__enter__()
    server.client.set(VERSION, NAME)
    with key.removal(NAME) as may_be_removed:
        assert not may_be_removed
    assert key.removals() == set()


def test_garbage_in_the_keys_of_removals_stops_neither_choice_nor_removal(
    server: RedisServer,
) -> None:
    key = VersionKey(server.client)
    server.client.lpush(LAST_REMOVAL, "garbage")
    server.client.set(removal("x" * 1000), "garbage")
    key.choose(NAME, str)
    with key.removal(OTHER) as may_be_removed:
        assert may_be_removed
    server.client.set(LAST_REMOVAL, "x" * 1000)
    key.choose(OTHER, str)
    assert key.removals() == set()


def test_without_redis_nobody_knows_what_may_be_removed(server: RedisServer) -> None:
    key = VersionKey(server.client)
    with key.removal(NAME):
        server.stop()
    # Its end is noted by nobody, and the removal itself went well.
    with pytest.raises(OSError, match="Redis"), key.removal(NAME):
        pytest.fail("the removal began")


def test_who_may_not_hear_of_changes_looks_for_them(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    client: Any = server.client
    rules = "on", ">sesame", "~lifeboat:*", "resetchannels", "+@all", "-config"
    client.execute_command("ACL", "SETUSER", "deaf", *rules)
    key = VersionKey(connect(Address(server.url.replace("redis://", "redis://deaf:sesame@"))))
    stop = threading.Event()
    readings = key.follow(stop)
    assert next(readings).version is None
    server.client.set(VERSION, "20260102-030405-abcdef")
    found = next(reading for reading in readings if reading.version is not None)
    assert found.answers
    stop.set()
    assert list(readings) == []
    (said,) = caplog.records
    assert "a new version is noticed within" in said.message


def test_a_missing_answer_is_a_reading_that_says_why(server: RedisServer) -> None:
    server.stop()
    reading = next(VersionKey(server.client).follow(threading.Event()))
    assert (reading.answers, reading.version) == (False, None)
    assert isinstance(reading.error, redis.ConnectionError)
