"""Tables as tensors of the Open Inference Protocol, in JSON or in its binary extension."""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

HEADER_LENGTH = "Inference-Header-Content-Length"
"""The header that tells how much of a body is JSON; the rest is the tensors' bytes."""

_NUMPY = {"FP32": "<f4", "FP64": "<f8", "INT64": "<i8"}


def encode(table: pd.DataFrame, *, binary: bool) -> tuple[bytes, dict[str, str]]:
    """A tensor of shape (rows, 1) per column, FP32 or BYTES; the body and its headers.

    The content types tell MLServer to make a data frame of them; the protocol lets others pass
    over parameters that they do not know.
    """
    inputs: list[dict[str, object]] = []
    blobs: list[bytes] = []
    for name, column in table.items():
        is_number = pd.api.types.is_numeric_dtype(column)
        tensor: dict[str, object] = {
            "name": name,
            "shape": [len(column), 1],
            "datatype": "FP32" if is_number else "BYTES",
        }
        parameters: dict[str, object] = {} if is_number else {"content_type": "str"}
        if binary:
            blobs.append(column.to_numpy("<f4").tobytes() if is_number else _text(column))
            parameters["binary_data_size"] = len(blobs[-1])
        else:
            tensor["data"] = (column.astype(float) if is_number else column).to_list()
        inputs.append(tensor | ({"parameters": parameters} if parameters else {}))
    wanted = {"content_type": "pd"} | ({"binary_data_output": True} if binary else {})
    header = json.dumps({"parameters": wanted, "inputs": inputs}).encode()
    if not binary:
        return header, {"Content-Type": "application/json"}
    return b"".join([header, *blobs]), {
        "Content-Type": "application/octet-stream",
        HEADER_LENGTH: str(len(header)),
    }


def output(body: bytes, headers: Mapping[str, str], name: str) -> NDArray[np.float64]:
    """One numeric tensor of an answer, in its shape."""
    length = int(headers.get(HEADER_LENGTH, len(body)))
    offset = length
    for tensor in json.loads(body[:length])["outputs"]:
        size = tensor.get("parameters", {}).get("binary_data_size", 0)
        if tensor["name"] == name:
            raw = body[offset : offset + size]
            data = np.frombuffer(raw, _NUMPY[tensor["datatype"]]) if size else tensor["data"]
            return np.array(data, np.float64).reshape(tensor["shape"])
        offset += size
    raise LookupError(f"the answer has no output {name}")


def _text(column: "pd.Series[str]") -> bytes:
    """Each string in UTF-8, after its length in four bytes."""
    encoded = [text.encode() for text in column]
    return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)
