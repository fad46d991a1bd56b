"""The short cut answers as the way of every request does, byte for byte, and counts the same."""

import gzip
import json
import logging
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api import limits
from api.http import connection
from api.short_cut.connection import ShortCutConnection
from api.telemetry.request_counts import Series
from shared.versions.onnx_model import Answer, OnnxModel
from tests.support.processes import wait_for
from tests.support.titanic import SCHEMA, served_model
from tests.support.versions import exported_pipeline
from tests.unit.api.short_cut.conftest import Client, Way, Ways, both, counts

ONE = b'[{"Sex": "male", "Age": 22, "Embarked": "S"}]'
INFER = b"/v2/models/lifeboat/infer"
SEX = {"name": "Sex", "shape": [1], "datatype": "BYTES", "data": ["male"]}


@pytest.fixture
def fresh(models_dir: Path) -> Iterator[Ways]:
    """Both ways, for a test that changes them."""
    with both(models_dir) as ways:
        yield ways


def post(
    body: bytes, *headers: bytes, path: bytes = b"/predict", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    lines = [b"POST %s HTTP/1.1" % path, b"Host: api", b"Content-Length: %d" % size, *headers]
    return b"\r\n".join([*lines, b"", body])


def infer(*inputs: dict[str, Any], **others: Any) -> bytes:
    return post(json.dumps({"inputs": inputs, **others}).encode(), path=INFER)


def infer_binary(*, ages: tuple[float, ...] = (22.0, 30.5), sexes: tuple[str, ...]) -> bytes:
    sex = b"".join(len(one).to_bytes(4, "little") + one.encode() for one in sexes)
    age = struct.pack(f"<{len(ages)}f", *ages)
    inputs = [
        {
            "name": name,
            "shape": [rows, 1],
            "datatype": datatype,
            "parameters": {"binary_data_size": len(data)},
        }
        for name, rows, datatype, data in (
            ("Sex", len(sexes), "BYTES", sex),
            ("Age", len(ages), "FP32", age),
        )
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    header = b"Inference-Header-Content-Length: %d" % len(head)
    return post(head + sex + age, header, path=INFER)


def infer_binary_of(name: str, datatype: str, shape: list[int], data: bytes) -> bytes:
    parameters = {"binary_data_size": len(data)}
    one = {"name": name, "shape": shape, "datatype": datatype, "parameters": parameters}
    head = json.dumps({"inputs": [one]}).encode()
    header = b"Inference-Header-Content-Length: %d" % len(head)
    return post(head + data, header, path=INFER)


USUAL = {
    "a record": post(ONE),
    "many records": post(b"[" + b",".join([ONE[1:-1]] * 50) + b"]"),
    "none": post(b"[]"),
    "null": post(b'[{"Sex": "male", "Age": null}]'),
    "blanks": post(b" \n" + ONE + b"\t"),
    "an id": post(ONE, b"X-Request-ID: mine.1"),
    "an id that is not sound": post(ONE, b"X-Request-ID: a b"),
    "two ids": post(ONE, b"X-Request-ID: ?", b"x-request-id: second"),
    "what tracing would need": post(ONE, b"traceparent: 00-" + b"a" * 32 + b"-" + b"b" * 16),
    "keep-alive": post(ONE, b"Connection: Keep-Alive"),
    "an encoding that changes nothing": post(ONE, b"Content-Encoding: identity"),
    "another type": post(ONE, b"Content-Type: text/plain"),
    "tensors": infer(SEX),
    "rows of tensors": infer(SEX | {"shape": [2, 1], "data": ["male", "female"]}, id="7"),
    "one output": infer(SEX, outputs=[{"name": "label"}]),
    "binary output": infer(SEX, parameters={"binary_data_output": True}),
    "null in tensors": infer(SEX, {**SEX, "name": "Embarked", "data": [None]}),
    "parameters": infer(SEX | {"parameters": {"content_type": "np"}}, parameters={}),
    "binary tensors": infer_binary(sexes=("male", "female")),
    "many binary tensors": infer_binary(ages=(1.0,) * 50, sexes=("male",) * 50),
    "a missing binary number": infer_binary(ages=(float("nan"),), sexes=("male",)),
    "tensors by rows": infer(SEX | {"shape": [1, 1], "data": [["male"]]}),
}
"""Answered with 200 by the short cut."""

UNUSUAL = {
    "no JSON": post(b"[{"),
    "no list": post(b"{}"),
    "a wrong value": post(b'[{"Sex": "?"}]'),
    "an unknown field": post(b'[{"Sex": "male", "x": 1}]'),
    "a number out of bounds": post(b'[{"Sex": "male", "Age": -1}]'),
    "too many records": post(b"[" + b",".join([ONE[1:-1]] * 51) + b"]"),
    "compressed": post(gzip.compress(ONE), b"Content-Encoding: gzip"),
    "nothing": post(b""),
    "a long body": post(ONE + b" " * limits.SHORT_CUT_BYTES),
    "a long head": post(ONE, b"X: " + b"x" * limits.KNOWN_HEAD_BYTES),
    "a query": post(ONE, path=b"/predict?a=1"),
    "a slash": post(ONE, path=b"/predict/"),
    "an escaped path": post(ONE, path=b"/%70redict"),
    "another path": post(ONE, path=b"/predictions"),
    "a whole URL": post(ONE, path=b"http://api/predict"),
    "close": post(ONE, b"Connection: close"),
    "an upgrade": post(ONE, b"Connection: Upgrade", b"Upgrade: h2c"),
    "HTTP/1.0": post(ONE).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "chunks": (
        b"POST /predict HTTP/1.1\r\nHost: api\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(ONE), ONE)
    ),
    "another method": post(ONE).replace(b"POST", b"PUT"),
    "a line before": b"\r\n" + post(ONE),
    "an unknown tensor": infer(SEX | {"name": "Sax"}),
    "a tensor twice": infer(SEX, SEX),
    "a wrong shape": infer(SEX | {"shape": [2]}),
    "a wrong datatype": infer(SEX | {"datatype": "FP32"}),
    "a tensor that is required": infer({**SEX, "name": "Embarked", "data": ["S"]}),
    "an unknown output": infer(SEX, outputs=[{"name": "score"}]),
    "as many rows everywhere": infer(SEX, {**SEX, "name": "Embarked", "shape": [2], "data": []}),
    "a negative binary number": infer_binary(ages=(-1.0,), sexes=("male",)),
    "an unknown binary string": infer_binary(ages=(1.0,), sexes=("mole",)),
    "too many tensors": infer(SEX | {"shape": [51], "data": ["male"] * 51}),
    "fewer rows than none": infer({**SEX, "name": "Age", "shape": [-10], "datatype": "FP32"}),
    "fewer binary rows than none": infer_binary_of("Age", "FP32", [-10], b"\0\0\0\0"),
    "half a number": infer_binary_of("Age", "INT64", [1], b"\5\0\0\0"),
    "one number for two": infer_binary_of("Age", "INT64", [2], struct.pack("<q", 5)),
    "no rows, and something": infer_binary_of("Sex", "BYTES", [0], b"garbage"),
    "a wrong length": post(b"{}", b"Inference-Header-Content-Length: 3", path=INFER),
    "another model": post(ONE, path=b"/v2/models/other/infer"),
}
"""Left to ASGI, whatever it answers."""


@pytest.mark.parametrize("request_", USUAL.values(), ids=USUAL)
def test_a_usual_request_is_answered_alike_and_without_asgi(ways: Ways, request_: bytes) -> None:
    answers, left = ways.ask(request_, answers=1)
    assert answers[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert left == 0


@pytest.mark.parametrize("request_", UNUSUAL.values(), ids=UNUSUAL)
def test_whatever_is_unusual_is_left_to_asgi(ways: Ways, request_: bytes) -> None:
    _, left = ways.ask(request_, answers=1)
    assert left == 1


def test_what_is_no_http_is_refused_alike(ways: Ways) -> None:
    for wrong in (
        post(ONE, b"Content-Length: 3"),
        post(ONE, b"Transfer-Encoding: chunked"),
        post(ONE, b"Nul: \x00"),
        post(ONE, b"Bad Header: 1"),
        post(ONE).replace(b"Content-Length: 45", b"Content-Length: +45"),
    ):
        said = []
        for way in ways:
            with way.connected() as client:
                client.send(wrong)
                said.append(client.answer())
                assert client.is_closed()
        assert said[0] == said[1] and said[0].startswith(b"HTTP/1.1 400 ")


def test_a_client_that_asks_first_may_send(ways: Ways) -> None:
    request = post(ONE, b"Expect: 100-continue")
    for way in ways:
        with way.connected() as client:
            client.send(request.removesuffix(ONE))
            assert client.answer().startswith(b"HTTP/1.1 100 Continue")
            client.send(ONE)
            assert client.answer().startswith(b"HTTP/1.1 200 OK")


# --- several requests over one connection --------------------------------------------------------


def test_requests_one_after_another_are_answered_alike(ways: Ways) -> None:
    for way in ways:
        with way.connected() as client:
            before, said = way.asgi, []
            for request in (post(ONE), infer(SEX), post(b"[{"), post(ONE), post(ONE)):
                client.send(request)
                said.append(client.answer()[9:12])
            assert said == [b"200", b"200", b"422", b"200", b"200"]
            assert way.asgi - before == (1 if way is ways.short else 5)


def test_requests_that_are_sent_together_are_answered_in_their_order(ways: Ways) -> None:
    ids = [b"X-Request-ID: %d" % i for i in range(5)]
    answers, left = ways.ask(b"".join(post(ONE, one) for one in ids), answers=5)
    assert [answer.count(b"x-request-id: %d" % i) for i, answer in enumerate(answers)] == [1] * 5
    assert left == 5


def test_a_request_that_comes_before_the_last_answer_waits_its_turn(ways: Ways) -> None:
    requests = [post(ONE, b"X-Request-ID: %d" % i) for i in range(20)]
    answers, _ = ways.ask(*requests, answers=20)
    assert [b"x-request-id: %d\r" % i in answer for i, answer in enumerate(answers)] == [True] * 20


@pytest.mark.parametrize("cut", [1, 20, len(post(ONE)) - len(ONE), len(post(ONE)) - 1])
def test_a_request_in_two_parts_is_answered_alike(ways: Ways, cut: int) -> None:
    for way in ways:
        with way.connected() as client:
            # A request in one part first: what follows meets a connection that the cut knows.
            for request in (post(ONE), post(ONE)):
                client.send(request[:cut])
                server = way.connection()
                wait_for(lambda s=server: s._in_message or s._head)  # type: ignore[misc]
                client.send(request[cut:])
                assert client.answer().startswith(b"HTTP/1.1 200 OK")
            client.send(post(ONE))
            assert client.answer().startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("request_", USUAL.values(), ids=USUAL)
def test_a_body_that_comes_after_its_head_is_answered_alike_and_without_asgi(
    ways: Ways, request_: bytes
) -> None:
    head_bytes = request_.index(b"\r\n\r\n") + 4
    for way in ways:
        before = way.asgi
        with way.connected() as client:
            server = way.connection()
            client.send(request_[:head_bytes])
            wait_for(lambda s=server: s._in_message or s._head)  # type: ignore[misc]
            client.send(request_[head_bytes:])
            assert client.answer().startswith(b"HTTP/1.1 200 OK")
            client.send(request_)
            assert client.answer().startswith(b"HTTP/1.1 200 OK")
        assert way.asgi - before == (0 if way is ways.short else 2)


def head_alone(way: Way, client: Client) -> ShortCutConnection:
    """Send a head without its body; return the server's end of the connection."""
    server = way.connection()
    client.send(post(b"", length=len(ONE)))
    wait_for(lambda: server._in_message or server._head)
    return server


def on_the_loop(server: ShortCutConnection, call: Callable[[], object]) -> None:
    done = threading.Event()
    server.loop.call_soon_threadsafe(lambda: done.set() if call() is None else None)
    assert done.wait(30)


def test_a_head_whose_body_does_not_come_is_waited_for_as_ever(ways: Ways) -> None:
    for way in ways:
        with way.connected() as client:
            server = head_alone(way, client)
            for _ in range(limits.LOOKS):
                on_the_loop(server, server._look)
            assert client.answer().startswith(b"HTTP/1.1 408 ")
            assert client.is_closed()


def test_a_body_that_comes_late_is_answered(ways: Ways) -> None:
    for way in ways:
        with way.connected() as client:
            server = head_alone(way, client)
            on_the_loop(server, server._look)
            client.send(ONE)
            assert client.answer().startswith(b"HTTP/1.1 200 OK")


def test_the_clock_of_a_request_begins_with_its_head(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[float] = []
    note = Series.note

    def noting(series: Series, seconds: float) -> None:
        noted.append(seconds)
        note(series, seconds)

    monkeypatch.setattr(Series, "note", noting)
    for body in (ONE, b"[" + b"?" * (len(ONE) - 1)):
        for way in ways:
            with way.connected() as client:
                server = head_alone(way, client)
                if server._head_came is not None:
                    server._head_came -= 1000
                client.send(body)
                client.answer()
    # Of the way of ASGI nothing is held back.
    wait_for(lambda: len(noted) == 4)
    assert [seconds > 1000 for seconds in noted] == [True, False, True, False]


def test_a_line_of_its_own_after_each_body_adds_up_to_nothing(ways: Ways) -> None:
    with ways.short.connected() as client:
        server = ways.short.connection()
        for _ in range(3):
            client.send(post(ONE))
            assert client.answer().startswith(b"HTTP/1.1 200 OK")
            client.send(b"\r\n")
            wait_for(lambda: server._head_bytes == 2)


def test_lines_without_end_are_refused(ways: Ways) -> None:
    for way in ways:
        with way.connected() as client:
            client.send(b"\r\n" * limits.HEAD_BYTES)
            assert client.answer().startswith(b"HTTP/1.1 431 ")


def test_a_client_that_leaves_before_its_body_is_counted_alike(ways: Ways) -> None:
    said = []
    for way in ways:
        before = counts()
        with way.connected() as client:
            head_alone(way, client)
        wait_for(lambda before=before: counts() != before)  # type: ignore[misc]
        said.append({n: v - before.get(n, 0) for n, v in counts().items() if v != before.get(n)})
    assert said[0] == said[1]


def test_a_body_that_comes_while_the_process_stops_is_answered(fresh: Ways) -> None:
    for way in fresh:
        with way.connected() as client:
            server = head_alone(way, client)
            way.stopping.set()
            on_the_loop(server, server.shutdown)
            client.send(ONE)
            answer = client.answer()
            assert answer.startswith(b"HTTP/1.1 200 OK") and b"connection: close" in answer
            assert client.is_closed()


def test_a_whole_request_and_a_part_of_the_next_are_not_mixed_up(ways: Ways) -> None:
    for way in ways:
        with way.connected() as client:
            whole = post(ONE)
            client.send(whole + whole[:30])
            assert client.answer().startswith(b"HTTP/1.1 200 OK")
            # What stands in the middle of a request looks like one.
            client.send(whole[30:])
            assert client.answer().startswith(b"HTTP/1.1 200 OK")


def test_what_looks_like_a_request_within_a_body_is_none(ways: Ways) -> None:
    inner = post(ONE)
    for way in ways:
        with way.connected() as client:
            client.send(post(b"", length=len(inner)))
            client.send(inner)
            assert client.answer().startswith(b"HTTP/1.1 422 ")
            client.send(post(ONE))
            assert client.answer().startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("batch_rows", [limits.BATCH_ROWS, 1])
def test_a_silent_connection_is_closed_some_time_after_its_last_answer(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """Also if the batch was full, and the answer there at once."""
    monkeypatch.setattr(limits, "BATCH_ROWS", batch_rows)
    with both(models_dir, keep_alive=1) as ways:
        for way in ways:
            with way.connected() as client:
                client.send(post(ONE))
                assert client.answer().startswith(b"HTTP/1.1 200 OK")
                assert client.is_closed()


def test_answers_from_full_batches_are_like_any_other(
    ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BATCH_ROWS", 1)
    for way in ways:
        with way.connected() as client:
            for _ in range(3):
                client.send(post(ONE))
                assert client.answer().startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_waits_for_its_answer_is_not_given_up(ways: Ways) -> None:
    """On a busy machine, each look at a connection may fall between a request and its batch."""
    way = ways.short
    with way.connected() as client:
        server = way.connection()
        for _ in range(2 * limits.LOOKS):
            looked = threading.Event()

            def request_and_look(looked: threading.Event = looked) -> None:
                server.data_received(post(ONE))
                assert server._is_answering
                server._look()
                looked.set()

            server.loop.call_soon_threadsafe(request_and_look)
            assert looked.wait(30)
            assert client.answer().startswith(b"HTTP/1.1 200 OK")


def test_a_connection_that_was_answered_is_not_taken_for_one_that_never_asked(ways: Ways) -> None:
    with ways.short.connected() as client:
        client.send(post(ONE))
        client.answer()
        assert ways.short.connection() not in connection._silent


# --- what goes wrong -----------------------------------------------------------------------------


class Broken(OnnxModel):
    def __init__(self) -> None:
        super().__init__(exported_pipeline(), SCHEMA)

    def predict(self, columns: Any) -> Answer:
        raise RuntimeError("a bug")


def test_without_a_model_everybody_is_told_so(fresh: Ways) -> None:
    for way in fresh:
        way.holder.current = None
    answers, _ = fresh.ask(post(ONE), answers=1)
    assert answers[0].startswith(b"HTTP/1.1 503 ")


def test_a_batch_that_fails_is_a_bug_and_is_logged_once_for_each(
    fresh: Ways, caplog: pytest.LogCaptureFixture
) -> None:
    sound = fresh.short.holder.current
    for request in (post(ONE), infer(SEX)):
        for way in fresh:
            way.holder.current = served_model("20260102-030405-abcdef", Broken())
        with caplog.at_level(logging.ERROR):
            caplog.clear()
            answers, left = fresh.ask(request, answers=1)
        assert answers[0].startswith(b"HTTP/1.1 500 ")
        assert left == 1 and [r.getMessage()[-6:] for r in caplog.records] == ["failed"] * 2
        for way in fresh:
            way.holder.current = sound
        answers, left = fresh.ask(request, answers=1)
        assert answers[0].startswith(b"HTTP/1.1 200 ") and left == 0


def test_a_swap_reaches_the_next_request(fresh: Ways) -> None:
    for version in (b"20260102-030405-000001", b"20260102-030405-000002"):
        for way in fresh:
            way.holder.current = served_model(
                version.decode(), OnnxModel(exported_pipeline(), SCHEMA)
            )
        for request in (post(ONE), infer(SEX)):
            answers, left = fresh.ask(request, answers=1)
            assert answers[0].count(version) == 2 and left == 0


def test_a_turn_that_is_full_refuses_alike(fresh: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TURN_BYTES", 1)
    answers, left = fresh.ask(post(ONE), answers=1)
    assert answers[0].startswith(b"HTTP/1.1 503 ") and left == 1


def test_a_body_may_have_so_many_bytes_and_no_more(models_dir: Path) -> None:
    with both(models_dir, max_body_bytes=len(ONE)) as ways:
        for body, status, to_asgi in ((ONE, b"200", 0), (ONE + b" ", b"413", 1)):
            answers, left = ways.ask(post(body), answers=1)
            assert (answers[0][9:12], left) == (status, to_asgi)


def test_a_bug_of_the_short_cut_costs_no_answer(
    fresh: Ways, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise IndexError("a bug")

    monkeypatch.setattr("api.short_cut.head.Heads.find", fail)
    answers, left = fresh.ask(post(ONE), answers=1)
    assert answers[0].startswith(b"HTTP/1.1 200 OK") and left == 1
    said = [record.getMessage() for record in caplog.records if record.name.startswith("api.")]
    assert said == ["the short cut failed"]


def test_what_is_looked_at_and_left_is_work_of_the_turn(fresh: Ways) -> None:
    taken: list[int] = []
    way = fresh.short
    with way.connected() as client:
        server = way.connection()

        def bring() -> None:
            server.data_received(post(b"[{}]"))
            taken.append(way.intake._turn_bytes)

        on_the_loop(server, bring)
        assert client.answer().startswith(b"HTTP/1.1 422 ")
    assert taken == [limits.REQUEST_BYTES + len(b"[{}]")]


def test_while_the_process_stops_each_answer_closes_its_connection(fresh: Ways) -> None:
    for way in fresh:
        way.stopping.set()
    answers, left = fresh.ask(post(ONE), answers=1)
    assert b"connection: close" in answers[0] and left == 1


def test_a_client_that_leaves_harms_nobody(fresh: Ways) -> None:
    for way in fresh:
        for _ in range(20):
            with way.connected() as client:
                client.send(post(ONE))
        with way.connected() as client:
            client.send(post(ONE))
            assert client.answer().startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_does_not_read_is_left_to_asgi(fresh: Ways) -> None:
    way = fresh.short
    with way.connected() as client:
        client.send(post(ONE))
        client.answer()
        server = way.connection()
        on_the_loop(server, server.pause_writing)
        before = way.asgi
        client.send(post(ONE))
        wait_for(lambda: way.asgi == before + 1)
        server.loop.call_soon_threadsafe(server.resume_writing)
        assert client.answer().startswith(b"HTTP/1.1 200 OK")


# --- keys ----------------------------------------------------------------------------------------


def test_a_key_is_checked_alike(models_dir: Path) -> None:
    with both(models_dir, api_key="sesame\nsimsim", api_key_for="everything") as ways:
        for headers, status, to_asgi in (
            ((b"X-API-Key: sesame",), b"200", 0),
            ((b"Authorization: Bearer simsim",), b"200", 0),
            ((), b"401", 1),
            ((b"X-API-Key: wrong",), b"403", 1),
        ):
            for request in (post(ONE, *headers), post(ONE, *headers)):
                answers, left = ways.ask(request, answers=1)
                assert (answers[0][9:12], left) == (status, to_asgi)


def test_a_key_that_only_changes_need_is_not_asked_for(models_dir: Path) -> None:
    with both(models_dir, api_key="sesame") as ways:
        answers, left = ways.ask(post(ONE), answers=1)
        assert (answers[0][9:12], left) == (b"200", 0)


# --- what settings put around every request ------------------------------------------------------


def test_host_names_and_origins_are_looked_at_alike(models_dir: Path) -> None:
    settings: dict[str, Any] = {
        "allowed_hosts": "*.example.org",
        "cors_origins": "*",
        "root_path": "/below",
    }
    with both(models_dir, **settings) as ways:
        for request, status, to_asgi in (
            (post(ONE).replace(b"Host: api", b"Host: a.example.org"), b"200", 0),
            (post(ONE).replace(b"Host: api", b"Host: 10.0.0.1:8000"), b"200", 0),
            (post(ONE), b"400", 1),
            (post(ONE).replace(b"Host: api\r\n", b""), b"400", 1),
            (post(ONE, b"Host: a.example.org"), b"400", 1),
            (post(ONE, b"Origin: https://a").replace(b"Host: api", b"Host: localhost"), b"200", 1),
            (post(ONE, path=b"/below/predict").replace(b"Host: api", b"Host: ::1"), b"400", 1),
            (post(ONE, path=b"/below/predict").replace(b"api", b"localhost", 1), b"200", 1),
        ):
            answers, left = ways.ask(request, answers=1)
            assert (answers[0][9:12], left) == (status, to_asgi), request


def test_an_origin_that_is_named_makes_every_answer_another(models_dir: Path) -> None:
    with both(models_dir, cors_origins="https://app.example") as ways:
        answers, left = ways.ask(post(ONE), answers=1)
        assert b"vary: Origin" in answers[0] and left == 1
