"""What is read in one call; `test_agreement` and the fuzzer hold that other values are the same."""

import json
import struct
from typing import Any

import pytest

from api.serving.tensors.reader import _FEW, Reader
from api.serving.tensors.small import SmallRequests
from shared.schema.features import Feature

FEATURES = (
    Feature(name="age", kind="number", required=False, minimum=0),
    Feature(name="rooms", kind="number", required=True, whole=True),
    Feature(name="sex", kind="category", required=False, categories=("male", "female")),
)
REQUESTS = SmallRequests({feature.name: Reader(feature) for feature in FEATURES})
ROOMS = {"name": "rooms", "shape": [2], "datatype": "INT64", "data": [3, 4.0]}


def read(*inputs: dict[str, Any], binary: bytes = b"", **others: Any) -> Any:
    found = REQUESTS.read(json.dumps({"inputs": inputs, **others}).encode(), binary)
    return None if found is None else found[1:]


def sized(name: str, datatype: str, size: Any, rows: int = 2) -> dict[str, Any]:
    parameters = {"binary_data_size": size}
    return {"name": name, "shape": [rows, 1], "datatype": datatype, "parameters": parameters}


def test_values_are_checked_by_the_type_of_their_feature() -> None:
    sex = {"name": "sex", "shape": [2, 1], "datatype": "BYTES", "data": ["male", None]}
    assert read(ROOMS, sex) == ({"rooms": [3, 4.0], "sex": ["male", None]}, 2)


def test_the_rest_of_the_request_is_kept() -> None:
    text = json.dumps({"inputs": [ROOMS], "id": "7", "outputs": [{"name": "label"}]}).encode()
    found = REQUESTS.read(text, b"")
    assert found is not None
    request = found[0]
    assert request.id == "7" and request.outputs is not None
    assert [output.name for output in request.outputs] == ["label"]


@pytest.mark.parametrize(
    ("datatype", "form"),
    [
        *zip(("FP16", "FP32", "FP64"), "efd", strict=True),
        *zip(("INT8", "INT16", "INT32", "INT64"), "bhiq", strict=True),
        *zip(("UINT8", "UINT16", "UINT32", "UINT64"), "BHIQ", strict=True),
    ],
)
def test_binary_numbers_are_read_one_by_one(datatype: str, form: str) -> None:
    data = struct.pack(f"<2{form}", 1, 2)
    assert read(sized("rooms", datatype, len(data)), binary=data) == ({"rooms": [1.0, 2.0]}, 2)


def test_binary_strings_and_missing_numbers_are_read() -> None:
    sex = b"\x04\0\0\0male\0\0\0\0"
    age = struct.pack("<2f", float("nan"), 30.5)
    found = read(sized("sex", "BYTES", len(sex)), sized("age", "FP32", 8), binary=sex + age)
    assert found[0]["sex"] == ["male", ""] and found[0]["age"][1:] == [30.5]
    assert found[0]["age"][0] != found[0]["age"][0]


def test_many_rows_of_binary_data_are_read_tensor_by_tensor() -> None:
    rows = _FEW + 1
    data = struct.pack(f"<{rows}f", *range(rows))
    assert read(sized("rooms", "FP32", len(data), rows), binary=data) is None


TWO = struct.pack("<2f", 1, 2)


@pytest.mark.parametrize(
    ("inputs", "binary"),
    [
        ([], b""),
        ([ROOMS | {"name": "attic"}], b""),
        ([ROOMS, ROOMS], b""),
        ([ROOMS | {"shape": []}], b""),
        ([ROOMS | {"shape": [3]}], b""),
        ([ROOMS | {"shape": [1, 2]}], b""),
        ([ROOMS | {"datatype": "BYTES"}], b""),
        ([ROOMS | {"data": [3, None]}], b""),
        ([ROOMS | {"data": [3, 4.5]}], b""),
        ([ROOMS | {"data": [[3], [4]]}], b""),
        ([ROOMS | {"data": None}], b""),
        ([ROOMS, ROOMS | {"name": "age", "data": [1], "shape": [1]}], b""),
        ([ROOMS], b"\0"),
        ([sized("rooms", "FP32", 8)], TWO[:-1]),
        ([sized("rooms", "FP32", 7)], TWO[:-1]),
        ([sized("rooms", "FP32", 8)], TWO + b"\0"),
        ([sized("rooms", "FP32", -8)], TWO),
        ([sized("rooms", "FP32", "8")], TWO),
        ([sized("rooms", "FP32", 8.5)], TWO),
        ([sized("rooms", "FP32", 8)], struct.pack("<2f", 1, 2.5)),
        ([sized("rooms", "FP32", 8)], struct.pack("<2f", 1, float("nan"))),
        ([sized("rooms", "FP32", 8)], struct.pack("<2f", 1, float("inf"))),
        ([sized("age", "FP32", 8)], struct.pack("<2f", 1, -1)),
        ([sized("rooms", "INT64", 8)], struct.pack("<q", 5)),
        ([sized("rooms", "FP32", 4, -10)], TWO[:4]),
        ([sized("sex", "BYTES", 7, 0)], b"garbage"),
        ([sized("sex", "BYTES", 8)], b"\x04\0\0\0mole"),
        ([sized("sex", "BYTES", 8)], b"\x04\0\0\0male"),
    ],
)
def test_what_is_not_sound_is_left_to_those_who_can_say_why(
    inputs: list[dict[str, Any]], binary: bytes
) -> None:
    assert read(*inputs, binary=binary) is None


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"inputs": 1}', b'{"inputs": [1]}', b"\xff"])
def test_what_is_no_request_is_left_as_well(text: bytes) -> None:
    assert REQUESTS.read(text, b"") is None


def test_five_hundred_features_can_be_told_apart() -> None:
    features = [Feature(name=f"f{i}", kind="number", required=False) for i in range(500)]
    requests = SmallRequests({feature.name: Reader(feature) for feature in features})
    inputs = [
        {"name": f.name, "shape": [1], "datatype": "FP32", "data": [i]}
        for i, f in enumerate(features)
    ]
    found = requests.read(json.dumps({"inputs": inputs}).encode(), b"")
    assert found is not None
    assert found[1] == {f"f{i}": [float(i)] for i in range(500)}
