"""The version key against a real server, whatever somebody has put there."""

import threading
from typing import Any

import pytest
import redis

from shared.runtime.redis_client import connect
from shared.runtime.redis_keys import VERSION
from shared.runtime.redis_url import RedisServer as Address
from shared.versions.version_key import VersionKey
from tests.support.processes import RedisServer


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
    key.put_back("20260102-030405-abcdef")
    assert key.get() == "a list, and not a name"
    key.set("20260102-030405-abcdef")
    assert key.get() == "20260102-030405-abcdef"


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
    assert found.redis_answers
    stop.set()
    assert list(readings) == []
    (said,) = caplog.records
    assert "a new version is noticed within" in said.message


def test_a_missing_answer_is_a_reading_that_says_why(server: RedisServer) -> None:
    server.stop()
    reading = next(VersionKey(server.client).follow(threading.Event()))
    assert (reading.redis_answers, reading.version) == (False, None)
    assert isinstance(reading.error, redis.ConnectionError)
