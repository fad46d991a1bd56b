"""Small predictions, answered from their connection.

An ASGI server makes a scope, a task, events and messages for each request; for one record they take
several times as long as the prediction. The rule of this room: a request that is whole, small, and
addressed to a route that predicts, with nothing unusual about it, is answered here. Everything else
goes the way of every request, unchanged: `take` leaves it, and has only noted the work of looking.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Protocol

from api import limits
from api.http import envelope
from api.http.envelope import Exchange
from api.http.intake import Intake
from api.http.responses import BytesResponse
from api.routes import predict
from api.serving.batcher import Batcher, Outcome
from api.serving.predictor import Predicted
from api.serving.served_model import ServedModel, ServedModelHolder
from api.short_cut.head import Head, Heads
from api.v2 import inference
from api.v2.question import Question


class Verdict(StrEnum):
    """What becomes of what a connection has brought."""

    TAKEN = "taken"
    """It is a request, and is being answered."""
    HEAD = "head"
    """It is the head of a request that may be taken when its body is there."""
    LEFT = "left"
    """It goes the way of every request."""


class Asking(Protocol):
    """A connection that has brought one request, and waits for its answer."""

    def answer(self, lines_and_body: bytes) -> None:
        """Write the answer; its status and its date stand before these lines."""

    def go_the_long_way(self, data: bytes) -> bool:
        """Have the request answered as every other; return False if the client has left."""


class ShortCut:
    """Answers requests that have nothing unusual about them. Belongs to one event loop."""

    def __init__(
        self,
        heads: Heads,
        holder: ServedModelHolder,
        batcher: Batcher,
        intake: Intake,
        max_rows: int,
    ) -> None:
        self._heads = heads
        self._holder = holder
        self._batcher = batcher
        self._intake = intake
        self._max_rows = max_rows

    def take(self, connection: Asking, data: bytes, started: float | None = None) -> Verdict:
        """Begin to answer the request that `data` is, if it is for this way.

        The connection has its answer in the next turn of the event loop, with the answers to all
        that came in this turn. `started` is when the request began, if that was not now.
        """
        head = self._heads.find(data)
        if head is None or head.length > limits.SHORT_CUT_BYTES:
            return Verdict.LEFT
        if head.length != len(data):
            # Many clients send head and body apart.
            return Verdict.HEAD if len(data) == head.body_start else Verdict.LEFT
        served = self._holder.current
        body = data[head.body_start :]
        if served is None or not self._intake.has_room(body):
            return Verdict.LEFT
        # Before the body is looked at: a turn bounds that work, too. Whatever is left, the long way
        # admits in its own turn.
        self._intake.admit(body)
        exchange = Exchange("POST", head.request_id or envelope.new_id(), started)
        exchange.route = head.path
        asked = _Asked(connection, data, exchange)
        if head.path == predict.PATH:
            records = predict.asked(body, self._max_rows, served)
            if records is None or not predict.is_short(records, served):
                return Verdict.LEFT
            self._batcher.add_records(records, served, partial(asked.answer, predict.answered))
        else:
            question = self._question(body, head, served)
            if question is None:
                return Verdict.LEFT
            respond = partial(inference.answered, question=question)
            answer = partial(asked.answer, respond)
            self._batcher.add_tensors(question.values, question.rows, served, answer)
        return Verdict.TAKEN

    def _question(self, body: bytes, head: Head, served: ServedModel) -> Question | None:
        found = inference.asked(
            body, head.header_length, self._max_rows, served, limits.INLINE_VALUES
        )
        return found if isinstance(found, Question) else None


class _Asked:
    """A request that waits for its batch."""

    __slots__ = ("_connection", "_data", "_exchange")

    def __init__(self, connection: Asking, data: bytes, exchange: Exchange) -> None:
        self._connection = connection
        self._data = data
        self._exchange = exchange

    def answer(self, respond: Callable[[Predicted], BytesResponse], outcome: Outcome) -> None:
        """Answer with what `respond` makes of the predictions."""
        if isinstance(outcome, Exception):
            self._fail(outcome)
            return
        try:
            response = respond(outcome)
        # A bug, like any error of the model.
        except Exception as error:
            self._fail(error)
        else:
            self._answer(response)

    def _fail(self, error: Exception) -> None:
        """Have the long way meet the same error: it answers 500, and logs the traceback."""
        if not self._connection.go_the_long_way(self._data):
            self._exchange.error = error
            envelope.end(self._exchange)

    def _answer(self, response: BytesResponse) -> None:
        exchange = self._exchange
        exchange.status = response.status_code
        lines = [
            b"%s: %s\r\n" % line
            for line in (*response.raw_headers, *envelope.lines_for_data(exchange))
        ]
        self._connection.answer(b"".join([*lines, b"\r\n", response.body]))
        envelope.end(exchange)
