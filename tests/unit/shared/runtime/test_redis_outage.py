import logging

import pytest
import redis
from kombu.exceptions import OperationalError
from redis._parsers.base import BaseParser

from shared.runtime.redis_outage import Outage, cause


def answered(line: str) -> Exception:
    """What redis-py makes of an answer of Redis's."""
    parsed: Exception = BaseParser.parse_error(line)  # type: ignore[no-untyped-call]
    return parsed


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("READONLY You can't write against a read only replica.", "name the primary"),
        ("READONLY You can't write. script: 1a2b, on @user_script:2.", "name the primary"),
        ("ERR Error running script: @user_script:2: -READONLY You can't write", "the primary"),
        ("UNBLOCKED force unblock from blocking operation", "has become a replica"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "memory of Redis is full"),
        (
            "NOPERM User lifeboat has no permissions to run the 'xadd' command",
            "lacks a right. docs/operations.md lists the rights that are needed (User lifeboat has "
            "no permissions to run the 'xadd' command)",
        ),
        ("ERR ACL failure in script: User lifeboat has no permissions", "lacks a right"),
        ("NOAUTH Authentication required.", "needs a password"),
        ("WRONGPASS invalid username-password pair or user is disabled.", "does not accept"),
        ("LOADING Valkey is loading the dataset in memory", "reading its data"),
        ("MISCONF Errors writing to the AOF file: No space left on device", "its disk"),
        ("MASTERDOWN Link with MASTER is down", "lost its primary"),
        ("CLUSTERDOWN The cluster is down", "refused a command (The cluster is down)"),
        ("ERR unknown command", "refused a command (unknown command)"),
    ],
)
def test_the_cause_says_what_to_do_and_what_redis_said(answer: str, said: str) -> None:
    assert said in cause(answered(answer))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (redis.ConnectionError("Error 111 connecting to h:1. Connection refused."), "111"),
        (redis.TimeoutError("Timeout reading from socket"), "does not answer (Timeout"),
        (redis.ConnectionError(), "does not answer (ConnectionError)"),
        (
            redis.ConnectionError(
                "Error 1 connecting to h:1. [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify "
                "failed: self-signed certificate in certificate chain"
            ),
            "LIFEBOAT_REDIS_CA_FILE",
        ),
    ],
)
def test_the_cause_of_no_answer_is_what_the_connection_said(error: Exception, said: str) -> None:
    assert said in cause(error)


def test_the_cause_is_that_of_the_error_which_celery_has_wrapped() -> None:
    wrapped = OperationalError("wrapped")
    wrapped.__cause__ = answered("NOAUTH Authentication required.")
    assert "needs a password" in cause(wrapped)


def test_a_cause_is_one_line_of_a_bounded_length() -> None:
    said = cause(redis.ResponseError("a\nb\x1b[2J" + "x" * 10_000))
    assert said.isprintable() and len(said) < 400


def test_each_cause_is_said_once_and_the_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    outage = Outage(logging.getLogger("a test"), "waiting")
    outage.end()
    for _ in range(3):
        outage.note(redis.ConnectionError("refused"))
    outage.note(answered("READONLY You can't write."))
    outage.note(answered("READONLY You can't write. script: 1a2b, on @user_script:2."))
    assert outage.failures == 5 and outage.cause is not None
    outage.end()
    outage.end()
    assert [record.message.partition(" (")[0] for record in caplog.records] == [
        "Redis does not answer",
        "Redis is a replica and takes no changes. Wait for the end of the failover, or name the "
        "primary in LIFEBOAT_REDIS_URL",
        "Redis answers again",
    ]
    assert caplog.records[0].message.endswith("; waiting")
    assert not outage.failures


def test_each_missing_right_is_said(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage(logging.getLogger("a test"), "waiting")
    for command in ("xadd", "xadd", "hget"):
        outage.note(answered(f"NOPERM User u has no permissions to run the '{command}' command"))
    assert len(caplog.records) == 2
