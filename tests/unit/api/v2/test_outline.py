import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import limits
from api.serving.tensors.reader import Reader, columns_of
from api.serving.tensors.request import decode_request
from api.v2 import question
from api.v2.question import opened, read
from shared.errors import BadTensors, LifeboatError
from shared.schema.columns import Columns
from shared.schema.features import Feature
from tests.support.large_bodies import SEX, TENSORS, request, tensor
from tests.support.titanic import FEATURES
from tests.support.titanic import READERS as TITANIC

OUTPUTS = ("label", "probabilities")

ROWS = 10_000


@pytest.mark.parametrize("body", TENSORS.values(), ids=TENSORS)
def test_no_decoder_is_given_more_than_is_bounded(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    decode = decode_request

    def noting(text: bytes) -> Any:
        given.append(len(text))
        return decode(text)

    monkeypatch.setattr(question, "decode_request", noting)
    from_json = Reader.from_json

    def noting_data(self: Reader, tensor: Any, data: bytes, max_rows: int) -> Any:
        given.append(len(data))
        return from_json(self, tensor, data, max_rows)

    monkeypatch.setattr(Reader, "from_json", noting_data)
    with pytest.raises(LifeboatError) as refused:
        read(opened(body, None, ROWS, TITANIC), ROWS, TITANIC, OUTPUTS)
    assert len(str(refused.value)) < 500
    assert max(given, default=0) <= limits.OUTLINE_BYTES + limits.VALUE_BYTES * ROWS


def test_the_largest_request_of_sound_rows_is_read_in_any_layout() -> None:
    numbers = [feature.name for feature in FEATURES if feature.kind == "number"]
    flat = [tensor(n, [1.0] * ROWS, ROWS) for n in numbers]
    rows = [tensor(n, [[1.0]] * ROWS, ROWS) for n in numbers]
    for inputs in (flat, rows):
        whole = {"inputs": [tensor("Sex", ["male"] * ROWS, ROWS), *inputs], "id": "7"}
        found = read(
            opened(json.dumps(whole, indent=4).encode(), None, ROWS, TITANIC),
            ROWS,
            TITANIC,
            OUTPUTS,
        )
        assert found.id == "7"
        assert all(found.values[name] == [1.0] * ROWS for name in numbers)
        assert found.values["Sex"] == ["male"] * ROWS


# --- an outline means what the whole means -------------------------------------------------------

ODD: tuple[Any, ...] = ("a]", "]]", '"', "\\", '\\"', "[", ',"data":[1],', "x\\", '"data":["', "")
RECORD = (
    Feature(name="odd", kind="category", required=False, categories=ODD[:-1]),
    Feature(name="data", kind="number", required=False),
)
READERS = {feature.name: Reader(feature) for feature in RECORD}


def columns(body: bytes) -> Columns | None:
    try:
        found = read(opened(body, None, 10, READERS), 10, READERS, OUTPUTS)
        return columns_of([found.values], READERS)
    except LifeboatError:
        return None


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    rows = draw(st.integers(0, 4))
    odd: list[Any] = draw(st.lists(st.sampled_from(ODD), min_size=rows, max_size=rows))
    numbers: list[Any] = draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows))
    if draw(st.booleans()):
        odd, numbers = [[value] for value in odd], [[value] for value in numbers]
    noise = draw(st.sampled_from([{}, {"x": '"data":[1]'}, {"y": {"z": [1]}}, {'"': "data"}]))
    inputs: list[dict[str, object]] = [
        {"data": odd, "name": "odd", "shape": [rows], "datatype": "BYTES", "parameters": noise},
        {"name": "data", "shape": [rows], "datatype": "FP32", "data": numbers},
    ]
    body = json.dumps(
        {"id": draw(st.sampled_from(ODD)), "parameters": noise, "inputs": inputs},
        indent=draw(st.sampled_from([None, 1])),
        ensure_ascii=draw(st.booleans()),
    ).encode()
    cut = draw(st.integers(0, len(body)))
    damage = draw(st.sampled_from([b""] * 6 + [b'"', b"]", b"[", b",", b"\\"]))
    return body[:cut] + damage + body[cut:]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(requests())
def test_an_outline_is_read_as_the_whole_is(body: bytes) -> None:
    whole = columns(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "INLINE_BYTES", 0)
        cut = columns(body)
    if whole is None or cut is None:
        assert whole is cut, (body, whole, cut)
    else:
        for name, column in whole.items():
            np.testing.assert_array_equal(column, cut[name])


@pytest.mark.parametrize("name", [b"data", rb"\u0064ata", rb"d\u0061ta"])
def test_data_is_found_under_its_name_alone_and_no_client_can_name_a_list(
    name: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "INLINE_BYTES", 0)
    body = request(SEX).replace(b'"data"', b'"%s"' % name)
    found = read(opened(body, None, 10, TITANIC), 10, TITANIC, OUTPUTS)
    assert found.values["Sex"] == ["male"]
    for guess in (b'"0"', b"0", b'":0"', b'"0000000000000000:0"'):
        with pytest.raises(BadTensors):
            read(opened(body.replace(b'["male"]', guess), None, 10, TITANIC), 10, TITANIC, OUTPUTS)


def test_a_list_that_no_tensor_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody would read it, so nobody would say that it is not JSON."""
    monkeypatch.setattr(limits, "INLINE_BYTES", 0)
    body = request(SEX, parameters={"data": ["?"]})
    for text in (body, body.replace(b'"?"', b"no JSON")):
        with pytest.raises(BadTensors, match="in inputs alone"):
            read(opened(text, None, 10, TITANIC), 10, TITANIC, OUTPUTS)
