"""Which messages the worker heeds, and how it waits."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import redis

from shared.jobs.queue import TASK_NAME
from shared.runtime.alive_file import alive_file
from worker.broker import PatientConnection, job_of, look_at

JOB_ID = "0123456789abcdef" * 2

NONSENSE: list[object] = [None, 5, "text", [], {}, [[]], {"body": 1}]
NO_IDS: list[object] = [None, 5, "", "x" * 32, [JOB_ID]]


def test_a_message_that_says_look_at_a_job_is_heeded() -> None:
    assert job_of(look_at(JOB_ID)) == JOB_ID


def test_a_message_of_celerys_own_is_heeded_whatever_else_it_says() -> None:
    message = look_at(JOB_ID)
    message["headers"] |= {"eta": "2099-01-01T00:00:00", "compression": "gzip", "retries": "many"}
    assert job_of(message) == JOB_ID


def _changed(part: str, **fields: object) -> dict[str, Any]:
    message = look_at(JOB_ID)
    message[part] |= fields
    return message


def _with_body(body: object) -> dict[str, Any]:
    return look_at(JOB_ID) | {"body": body}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _without(part: str) -> dict[str, Any]:
    message = look_at(JOB_ID)
    del message[part]
    return message


@pytest.mark.parametrize(
    ("message", "said"),
    [
        *((other, "lacks a part") for other in NONSENSE),
        *((_without(part), "lacks a part") for part in ("body", "headers", "properties")),
        *((look_at(JOB_ID) | {"headers": other}, "lacks a part") for other in NONSENSE),
        (_changed("headers", task="another"), "its task is 'another'"),
        (_changed("headers", task=["a", "list"]), "its task is"),
        (_changed("headers", task="x" * 10_000_000), "its task is 'xxx"),
        *((_changed("headers", id=other), "its id") for other in NO_IDS),
        (_changed("properties", body_encoding="utf-8"), "not base64"),
        (_with_body(None), "not base64"),
        (_with_body("x" * 10_001), "not base64"),
        (_with_body("%%%"), "not JSON in base64"),
        (_with_body("abc"), "not JSON in base64"),
        (_with_body(_encoded("nonsense")), "not JSON in base64"),
        (_with_body(_encoded("[" * 5_000)), "not JSON in base64"),
        (_with_body(_encoded("{}")), "not JSON in base64"),
        (_with_body(_encoded(json.dumps([["another"], {}, {}]))), "its arguments"),
        (_with_body(_encoded(json.dumps([[JOB_ID, "more"], {}, {}]))), "its arguments"),
    ],
)
def test_any_other_message_is_refused_with_a_short_reason(message: object, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        job_of(message)
    assert len(str(refused.value)) < 200


def test_the_message_that_celery_is_given_has_what_celery_reads() -> None:
    message = look_at(JOB_ID)
    assert message["headers"]["task"] == TASK_NAME
    assert json.loads(base64.b64decode(message["body"]))[0] == [JOB_ID]
    assert look_at(JOB_ID)["properties"]["delivery_tag"] != message["properties"]["delivery_tag"]


def test_a_lost_connection_is_tried_again_every_two_seconds_and_the_worker_is_alive_meanwhile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(alive_file, "path", tmp_path / "alive")
    monkeypatch.setattr("kombu.utils.functional.sleep", slept.append)
    connection = PatientConnection("redis://127.0.0.1:1/0")
    tries = iter([redis.ConnectionError("refused"), redis.ResponseError("READONLY no")] * 2)

    def connect() -> object:
        for error in tries:
            raise error
        return connection

    monkeypatch.setattr(connection, "_connection_factory", connect)
    connection.ensure_connection()
    assert sum(slept) == 4 * 2
    assert (tmp_path / "alive").exists()
