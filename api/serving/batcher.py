"""The batcher: predicts small requests that arrive together in one call of the model."""

import asyncio
from collections.abc import Sequence

import msgspec

from api import limits
from api.serving.predictor import Predicted, predict
from api.serving.served_model import ServedModel


class Batcher:
    """Joins the records of all requests that one turn of the event loop has read into one call.

    A call of the model costs many times what one more row costs. No request waits for a batch to
    fill: the batch is predicted in the next turn of the loop. A batch has the records of one
    version, which decoded them and predicts them; at a swap a new one begins. A batcher belongs to
    one event loop, and is not safe for threads.
    """

    def __init__(self) -> None:
        self._served: ServedModel | None = None
        self._records: list[msgspec.Struct] = []
        self._waiting: list[tuple[int, asyncio.Future[Predicted]]] = []

    async def predict(self, records: Sequence[msgspec.Struct], served: ServedModel) -> Predicted:
        """Predict for records that `served` has decoded, together with those of other requests."""
        loop = asyncio.get_running_loop()
        if self._waiting and served is not self._served:
            self._flush()
        self._served = served
        if not self._waiting:
            loop.call_soon(self._flush)
        future: asyncio.Future[Predicted] = loop.create_future()
        self._records.extend(records)
        self._waiting.append((len(records), future))
        if len(self._records) >= limits.BATCH_ROWS:
            self._flush()
        return await future

    def _flush(self) -> None:
        records, waiting, served = self._records, self._waiting, self._served
        if not waiting:
            return
        assert served is not None
        # Forgotten, so that a version that was swapped out does not stay in memory.
        self._records, self._waiting, self._served = [], [], None
        try:
            batch = predict(served.to_columns(records), served)
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
                future.set_result(batch if rows == len(records) else batch.part(start, end))
