"""What the benchmarks send and read is what the server means."""

import numpy as np
import pandas as pd
import pytest

from api.serving.predictor import Predicted
from api.serving.tensors.reader import columns_of
from api.v2.messages import written
from api.v2.question import Question, opened, read
from benchmarks import tensors
from shared.versions.onnx_model import OnnxModel
from tests.support.titanic import READERS, SCHEMA, served_model
from tests.support.versions import exported_pipeline

TABLE = pd.DataFrame({"Sex": ["male", "female"], "Age": [22.0, 0.5]})


def _read(body: bytes, headers: dict[str, str]) -> Question:
    message = opened(body, headers.get(tensors.HEADER_LENGTH), 10_000, READERS)
    return read(message, 10_000, READERS, ("label", "probabilities"))


@pytest.mark.parametrize("binary", [False, True])
def test_a_table_is_read_as_it_was_written(binary: bool) -> None:
    body, headers = tensors.encode(TABLE, binary=binary)
    columns = columns_of([_read(body, headers).values], READERS)
    assert columns["Sex"].ravel().tolist() == ["male", "female"]
    assert columns["Age"].ravel().tolist() == [22.0, 0.5]


@pytest.mark.parametrize("binary", [False, True])
def test_an_output_is_read_as_the_server_wrote_it(binary: bool) -> None:
    body, headers = tensors.encode(TABLE, binary=binary)
    question = _read(body, headers)
    served = served_model("v", OnnxModel(exported_pipeline(), SCHEMA))
    predicted = Predicted(served, np.array([0, 1]), np.array([0.25, 0.75], np.float32))
    answer, json_length = written(predicted, question)
    length = {} if json_length is None else {tensors.HEADER_LENGTH: str(json_length)}
    assert (json_length is not None) == binary
    assert tensors.output(answer, length, "probabilities").ravel().tolist() == [0.25, 0.75]
    assert tensors.output(answer, length, "label").ravel().tolist() == [0, 1]


def test_an_output_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match="no output scores"):
        tensors.output(b'{"outputs": []}', {}, "scores")


def test_text_is_counted_in_bytes() -> None:
    body, headers = tensors.encode(pd.DataFrame({"Sex": ["male", "femalé"]}), binary=True)
    blob = body[int(headers[tensors.HEADER_LENGTH]) :]
    assert blob == b"\x04\0\0\0male\x07\0\0\0femal\xc3\xa9"
