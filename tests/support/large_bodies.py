"""Bodies of the greatest length that are refused, each for another thing that it has much of."""

import json

MOST = 8 * 2**20


def filled(unit: bytes, before: bytes = b"[", after: bytes = b"]") -> bytes:
    """The largest body that is a list of these."""
    room = MOST - len(before) - len(after) - len(unit)
    return before + unit + (b"," + unit) * (room // (len(unit) + 1)) + after


RECORDS = {
    "empty records": filled(b"{}"),
    "records": filled(b'{"Sex":"male"}'),
    "lists": filled(b"[]"),
    "numbers": filled(b"0"),
    "texts": filled(b'""'),
    "brackets": b"[" * MOST,
    "braces": filled(b"{", after=b""),
    "one object": filled(b'"a":{}', b"{", b"}"),
    "nested lists in a record": filled(b"[]", b'[{"Sex":"male","x":[', b"]}]"),
    "nested records in a record": filled(b"{}", b'[{"Sex":"male","x":[', b"]}]"),
    "a field again and again": filled(b'"Sex":"male"', b"[{", b"}]"),
    "an escaped text": b'[{"Sex":"' + rb"\u0041" * (MOST // 6 - 3) + b'"}]',
    "an escaped name": b'[{"' + rb"\n" * (MOST // 2 - 8) + b'":1}]',
    "a number without end": b'[{"Sex":"male","Age":1' + b"0" * (MOST - 30) + b"}]",
    "numbers of 10,000 digits": filled(b'{"Sex":"male","Age":121.%s}' % (b"0" * 10_000)),
    "names without end": filled(b'{"%s":1}' % (b"x" * 1000)),
    "invalid UTF-8 at the end": filled(b'{"Sex":"male","Age":1.00000000%s}' % (b"0" * 1000))[:-3]
    + b'"\xff"}]',
    "blanks": b"[" + b" " * (MOST - 2) + b"]",
    "blanks in a record": b'[{"Sex":"male"' + b" " * (MOST - 20) + b"}]",
    "no list": b'"' + b"x" * (MOST - 2) + b'"',
}
"""For `POST /predict`."""


def tensor(name: str, data: object, rows: int = 1, **more: object) -> dict[str, object]:
    datatype = "BYTES" if name in ("Sex", "Embarked") else "FP32"
    return {"name": name, "shape": [rows], "datatype": datatype, "data": data, **more}


def request(*inputs: dict[str, object], **more: object) -> bytes:
    return json.dumps({"inputs": inputs, **more}).encode()


SEX = tensor("Sex", ["male"])


def long(place: bytes, unit: bytes, separator: bytes = b",", ends: bytes = b"[]") -> bytes:
    """A request of the greatest length, filled with units where it says "?"."""
    head, tail = place.split(b'"?"')
    units = (MOST - len(head) - len(tail) - 2 - len(unit)) // (len(unit) + len(separator))
    filled = unit + (separator + unit) * units
    return head + ends[:1] + filled + ends[1:] + tail


AGE = request(SEX, tensor("Age", "?"))
TEXT = {"separator": b"", "ends": b'""'}
TENSORS = {
    "parameters": long(request(parameters={"x": "?"}), b'{"":0}'),
    "parameters of a tensor": long(request(SEX | {"parameters": {"x": "?"}}), b'{"":0}'),
    "parameters with names": long(request(SEX, parameters="?"), b'"a":0', ends=b"{}"),
    "outputs": long(request(SEX, outputs="?"), b'{"name":"label"}'),
    "inputs": long(b'{"inputs":"?"}', json.dumps(tensor("Age", [])).encode()),
    "inputs of nothing": long(b'{"inputs":"?"}', b"{}"),
    "a shape": long(request(SEX | {"shape": "?"}), b"1"),
    "an id": long(request(SEX, id="?"), rb"\u0041", **TEXT),
    "a name": long(request(SEX | {"name": "?"}), rb"\n", **TEXT),
    "unknown fields": long(request(SEX, x="?"), b"[]"),
    "a name of a field": long(b'{"?":1,' + request(SEX)[1:], b"x", b"", b'""'),
    "numbers": long(AGE, b"0"),
    "rows": long(AGE, b"[0]"),
    "rows of nothing": long(AGE, b"[]"),
    "deep": long(AGE, b"[", b"", b"[ "),
    "brackets in texts": long(AGE, b'"]"'),
    "texts": long(request(tensor("Sex", "?")), b'"male"'),
    "an escaped text": long(request(tensor("Sex", ["?"])), rb"\u0041", **TEXT),
    "blanks": long(AGE, b" ", b""),
    "a number of 8 MB": long(AGE, b"1", b""),
    "numbers of 10,000 digits": long(AGE, b"1" * 10_000),
    "lists of data": long(request(SEX, x="?"), b'"data":[]', ends=b"{}"),
}
"""For an inference request of the Open Inference Protocol."""
