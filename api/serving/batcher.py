"""The batcher: predicts small requests that arrive together in one call of the model."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from api import limits
from api.serving.predictor import Predicted, predict
from api.serving.served_model import ServedModel
from api.serving.tensors.reader import Values, columns_of
from shared.schema.columns import Columns

Outcome = Predicted | Exception
Answer = Callable[[Outcome], None]
"""Is called with what a request is answered, in the next turn of the event loop; never raises."""


class Batcher:
    """Joins the rows of all requests that one turn of the event loop has read into one call.

    A call of the model costs many times what one more row costs. No request waits for a batch to
    fill: the batch is predicted in the next turn of the loop. A batch has the rows of one version,
    which read them and predicts them; at a swap a new one begins. A batcher belongs to one event
    loop, and is not safe for threads.
    """

    def __init__(self) -> None:
        self._served: ServedModel | None = None
        self._rows = 0
        self._records: list[msgspec.Struct] = []
        self._of_records: list[tuple[int, Answer]] = []
        self._tensors: list[Mapping[str, Values]] = []
        self._of_tensors: list[tuple[int, Answer]] = []

    def add_records(
        self, records: Sequence[msgspec.Struct], served: ServedModel, answer: Answer
    ) -> None:
        """Predict for records that `served` has decoded, together with those of other requests."""
        self._begin(served)
        self._records.extend(records)
        self._of_records.append((len(records), answer))
        self._go_on(len(records))

    def add_tensors(
        self, values: Mapping[str, Values], rows: int, served: ServedModel, answer: Answer
    ) -> None:
        """Predict for tensors that the readers of `served` have read, likewise."""
        self._begin(served)
        self._tensors.append(values)
        self._of_tensors.append((rows, answer))
        self._go_on(rows)

    async def records(self, records: Sequence[msgspec.Struct], served: ServedModel) -> Predicted:
        """Return the answer to records; the same as `add_records`, for those who can wait."""
        future: asyncio.Future[Predicted] = asyncio.get_running_loop().create_future()
        self.add_records(records, served, _settle(future))
        return await future

    async def tensors(
        self, values: Mapping[str, Values], rows: int, served: ServedModel
    ) -> Predicted:
        """Return the answer to tensors; the same as `add_tensors`, for those who can wait."""
        future: asyncio.Future[Predicted] = asyncio.get_running_loop().create_future()
        self.add_tensors(values, rows, served, _settle(future))
        return await future

    def _begin(self, served: ServedModel) -> None:
        while self._served is not None and self._served is not served:
            self._flush()
        if self._served is None:
            self._served = served
            asyncio.get_running_loop().call_soon(self._flush)

    def _go_on(self, rows: int) -> None:
        self._rows += rows
        if self._rows >= limits.BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        served = self._served
        if served is None:
            return
        records, tensors = self._records, self._tensors
        waiting = [*self._of_records, *self._of_tensors]
        # Forgotten, so that a version that was swapped out does not stay in memory.
        self._served, self._rows = None, 0
        self._records, self._of_records, self._tensors, self._of_tensors = [], [], [], []
        try:
            batch = predict(_joined(records, tensors, served), served)
        # Every waiting request must get the error, whatever it is.
        except Exception as error:
            for _, answer in waiting:
                answer(error)
            return
        if len(waiting) == 1:
            waiting[0][1](batch)
            return
        end = 0
        for rows, answer in waiting:
            start, end = end, end + rows
            answer(batch.part(start, end))


def _joined(
    records: Sequence[msgspec.Struct], tensors: Sequence[Mapping[str, Values]], served: ServedModel
) -> Columns:
    """Return the records, and the tensors behind them, as one set of columns."""
    if not tensors:
        return served.to_columns(records)
    columns = columns_of(tensors, served.readers)
    if not records:
        return columns
    first = served.to_columns(records)
    return {name: np.concatenate([first[name], columns[name]]) for name in first}


def _settle(future: asyncio.Future[Predicted]) -> Answer:
    def settle(outcome: Outcome) -> None:
        # The future of a client that left is cancelled.
        if future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    return settle
