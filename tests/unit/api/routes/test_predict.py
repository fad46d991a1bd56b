"""What a request costs others: the turn of the event loop that it takes, the memory that it keeps.

Of both ways to ask for predictions.
"""

import gc
import json
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from anyio import to_thread
from fastapi.testclient import TestClient

from api import limits
from api.serving.served_model import ServedModelHolder
from tests.unit.api.conftest import Start

INFER = "/v2/models/lifeboat/infer"
VERSIONED = "/v2/models/lifeboat/versions/20260102-030405-abcdef/infer"
HEADER = "Inference-Header-Content-Length"


def tensors(rows: int, **more: object) -> bytes:
    sex = {"name": "Sex", "shape": [rows], "datatype": "BYTES", "data": ["male"] * rows}
    return json.dumps({"inputs": [sex], **more}).encode()


# --- what is answered on the event loop ----------------------------------------------------------


@pytest.fixture
def in_threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that were called in a thread."""
    called: list[str] = []
    run_sync = to_thread.run_sync

    async def noting(function: Callable[..., Any], *rest: Any, **more: Any) -> Any:
        called.append(function.__name__)
        return await run_sync(function, *rest, **more)

    monkeypatch.setattr(to_thread, "run_sync", noting)
    return called


def binary(rows: int) -> tuple[bytes, dict[str, str]]:
    """A byte for each number, so that 64 KiB hold most rows."""
    head = {"shape": [rows], "parameters": {"binary_data_size": rows}}
    inputs = [{"name": name, "datatype": "INT8"} | head for name in ("Age", "Pclass", "SibSp")]
    sex = {"name": "Sex", "datatype": "BYTES", "shape": [rows]}
    inputs.append(sex | {"parameters": {"binary_data_size": 8 * rows}})
    text = json.dumps({"inputs": inputs}).encode()
    data = np.ones(3 * rows, np.int8).tobytes() + b"\4\0\0\0male" * rows
    return text + data, {HEADER: str(len(text))}


@pytest.mark.parametrize("rows", [1, 100, 850])
def test_few_rows_are_predicted_on_the_event_loop(
    client: TestClient, in_threads: list[str], rows: int
) -> None:
    body, headers = binary(rows)
    assert client.post("/predict", json=[{"Sex": "male"}] * rows).status_code == 200
    assert client.post(INFER, content=tensors(rows)).status_code == 200
    assert client.post(INFER, content=body, headers=headers).status_code == 200
    assert in_threads == []


@pytest.mark.parametrize("rows", [1000, 4000])
def test_more_rows_are_predicted_in_a_thread_however_short_they_are(
    client: TestClient, in_threads: list[str], rows: int
) -> None:
    body, headers = binary(rows)
    records = json.dumps([{"Sex": "male"}] * rows, separators=(",", ":")).encode()
    # Without "male" for each: the shape alone says how many there are.
    claimed = tensors(1).replace(b"[1]", b"[%d]" % rows)
    assert max(map(len, (records, tensors(rows), body))) <= limits.INLINE_BYTES
    assert client.post("/predict", content=records).status_code == 200
    assert client.post(INFER, content=tensors(rows)).status_code == 200
    assert client.post(INFER, content=body, headers=headers).status_code == 200
    assert client.post(INFER, content=claimed).status_code == 400
    assert in_threads == ["_predict", "inferred", "inferred", "inferred"]


@pytest.mark.parametrize("body", [b"{}", b"[]", b"1"])
def test_short_bodies_of_very_many_records_are_refused_in_a_thread(
    client: TestClient, in_threads: list[str], body: bytes
) -> None:
    refused = client.post("/predict", content=b"[" + b",".join([body] * 21_000) + b"]")
    assert refused.status_code in (413, 422)
    assert in_threads == ["_predict"]


# --- what a refused body leaves behind -----------------------------------------------------------

LARGE = limits.INLINE_BYTES
REFUSED: dict[str, tuple[str, bytes]] = {
    "records": ("/predict", b'[{"Sex":"x"}]'.ljust(2 * LARGE)),
    "too many records": ("/predict", b"[" + b",".join([b'{"Sex":"male"}'] * 10_001) + b"]"),
    "too many wrong records": ("/predict", b"[" + b",".join([b"{}"] * 30_001) + b"]"),
    "no JSON": ("/predict", b"\xff" * 2 * LARGE),
    "few wrong records": ("/predict", b'[{"Sex":"x"}]'),
    "tensors": (INFER, b'{"inputs":[]}'.ljust(LARGE + 1)),
    "parameters": (INFER, tensors(1, parameters={"x": [{"": 0}] * LARGE})),
    "no request": (INFER, b"\xff" * 2 * LARGE),
    "too many rows": (INFER, tensors(10_001)),
    "few wrong tensors": (INFER, b'{"inputs":[]}'),
    "tensors for a version": (VERSIONED, b'{"inputs":[]}'.ljust(LARGE + 1)),
}


@contextmanager
def no_cycles() -> Iterator[None]:
    """Asserts that no frame of the API is left in a reference cycle."""
    # What is there already is not looked at, which would take most of the time.
    gc.freeze()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
        gc.collect()
        frames = [found for found in gc.garbage if isinstance(found, types.FrameType)]
        kept = {frame.f_code.co_qualname for frame in frames if "/api/" in frame.f_code.co_filename}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()
    assert kept == set()


@pytest.mark.parametrize(("path", "body"), REFUSED.values(), ids=REFUSED)
def test_a_refused_body_is_not_kept_until_the_next_full_collection(
    client: TestClient, path: str, body: bytes
) -> None:
    client.get("/health/live")
    with no_cycles():
        assert client.post(path, content=body).status_code in (400, 413, 422)


@pytest.mark.parametrize("body", [b'[{"Sex":"male"}]', b'[{"Sex":"male"}]'.ljust(2 * LARGE)])
def test_nor_is_a_body_for_which_there_is_no_model(start: Start, body: bytes) -> None:
    client = start(holder=ServedModelHolder())
    with no_cycles():
        assert client.post("/predict", content=body).status_code == 503
