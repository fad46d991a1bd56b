"""The batcher: predicts small requests that arrive together in one call of the model."""

import asyncio
from collections.abc import Sequence

import msgspec

from api import limits
from api.serving.predictor import Predicted, predict
from api.serving.served_model import ServedModelHolder, served_model
from shared.schema.columns import to_columns


class Batcher:
    """Joins the records of all requests that one turn of the event loop has read into one call.

    A call of the model costs many times what one more row costs. No request waits for a batch to
    fill: the batch is predicted in the next turn of the loop. All rows of a batch get the same
    model, so a swap falls between two batches. A batcher belongs to one event loop, and is not safe
    for threads.
    """

    def __init__(self, holder: ServedModelHolder) -> None:
        self._holder = holder
        self._records: list[msgspec.Struct] = []
        self._waiting: list[tuple[int, asyncio.Future[Predicted]]] = []

    async def predict(self, records: Sequence[msgspec.Struct]) -> Predicted:
        """Predict for `records`, together with those of other requests.

        Raises:
            NoModelYet: The process serves no model yet.
        """
        # Here, because an exception that a future hands over keeps its requests, in a reference
        # cycle. A process that serves a model always serves one.
        served_model(self._holder)
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._flush)
        future: asyncio.Future[Predicted] = loop.create_future()
        self._records.extend(records)
        self._waiting.append((len(records), future))
        if len(self._records) >= limits.BATCH_ROWS:
            self._flush()
        return await future

    def _flush(self) -> None:
        records, waiting = self._records, self._waiting
        if not waiting:
            return
        self._records, self._waiting = [], []
        try:
            batch = predict(to_columns(records), served_model(self._holder))
        # Every waiting request must get the error, whatever it is.
        except Exception as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        end = 0
        for rows, future in waiting:
            start, end = end, end + rows
            # The future of a client that left is cancelled.
            if not future.done():
                share = slice(start, end)
                future.set_result(
                    Predicted(batch.version, batch.labels[share], batch.probabilities[share])
                )
