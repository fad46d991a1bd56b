"""One inference: from the body of a request to what the model is asked, and to the answer."""

import math

from api import limits
from api.http.responses import BytesResponse
from api.serving.predictor import Predicted, predict
from api.serving.served_model import ServedModel
from api.serving.tensors.reader import columns_of
from api.v2.messages import HEADER_LENGTH, written
from api.v2.question import Question, opened, read, small
from shared.errors import LifeboatError
from shared.versions.onnx_model import OUTPUT_NAMES

_HEADER_LENGTH = HEADER_LENGTH.encode()


def asked(
    body: bytes,
    header_length: str | None,
    max_rows: int,
    served: ServedModel,
    most_values: float = math.inf,
) -> Question | LifeboatError | None:
    """Read an inference request, unless it has more values than `most_values`: then None.

    What is wrong with the request is returned, never raised: this runs in a thread, too.
    """
    known = OUTPUT_NAMES[served.schema.kind]
    try:
        if len(body) <= limits.INLINE_BYTES:
            question = small(
                body, header_length, max_rows, served.small_requests, served.readers, known
            )
            if question is not None:
                is_short = question.rows * len(served.readers) <= most_values
                return question if is_short else None
        message = opened(body, header_length, max_rows, served.readers)
        if message.rows * len(served.readers) > most_values:
            return None
        return read(message, max_rows, served.readers, known)
    except LifeboatError as error:
        return error.with_traceback(None)


def inferred(
    body: bytes, header_length: str | None, max_rows: int, served: ServedModel
) -> BytesResponse | LifeboatError:
    """Read and predict at once: in a thread, because the request may be long."""
    question = asked(body, header_length, max_rows, served)
    assert question is not None
    if isinstance(question, LifeboatError):
        return question
    columns = columns_of([question.values], served.readers)
    return answered(predict(columns, served), question)


def answered(predicted: Predicted, question: Question) -> BytesResponse:
    """Return the answer, as JSON or with binary data behind its JSON."""
    answer, json_length = written(predicted, question)
    version = (b"x-model-version", predicted.version.encode())
    if json_length is None:
        return BytesResponse(answer, (b"content-type", b"application/json"), version)
    return BytesResponse(
        answer,
        (b"content-type", b"application/octet-stream"),
        (_HEADER_LENGTH, b"%d" % json_length),
        version,
    )
