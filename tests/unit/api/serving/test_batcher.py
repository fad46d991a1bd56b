import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api.serving.batcher import Batcher
from api.serving.predictor import Predicted, predict
from api.serving.served_model import ServedModel, ServedModelHolder
from shared.errors import NoModelYet
from shared.schema.columns import Columns, to_columns
from shared.schema.decoder import to_records
from shared.schema.passenger import EXAMPLES
from shared.versions.onnx_model import OnnxModel
from tests.support.versions import exported_pipeline


class CountingModel(OnnxModel):
    """The real model, which notes how many rows each call had."""

    def __init__(self) -> None:
        super().__init__(exported_pipeline())
        self.calls: list[int] = []

    def predict(self, columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        self.calls.append(len(columns["Age"]))
        return super().predict(columns)


class BrokenModel(OnnxModel):
    def __init__(self) -> None:
        super().__init__(exported_pipeline())

    def predict(self, columns: Columns) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        raise RuntimeError("a bug")


def served(model: OnnxModel, version: str = "20260102-030405-abcdef") -> ServedModelHolder:
    holder = ServedModelHolder()
    holder.current = ServedModel(version, model)
    return holder


def passengers(rows: int, age: float = 30.0) -> Sequence[Any]:
    return to_records([{"Sex": "female", "Age": age + i % 20, "Fare": 8.0} for i in range(rows)])


def together(holder: ServedModelHolder, *requests: Sequence[Any]) -> list[Predicted]:
    """The answers to requests that arrive in one turn of the event loop."""

    async def ask() -> list[Predicted]:
        batcher = Batcher(holder)
        return list(await asyncio.gather(*(batcher.predict(records) for records in requests)))

    return asyncio.run(ask())


def test_what_arrives_together_is_predicted_in_one_call() -> None:
    model = CountingModel()
    together(served(model), *[passengers(1)] * 5, passengers(3))
    assert model.calls == [8]


def test_each_request_gets_its_own_rows_in_its_own_order() -> None:
    model = CountingModel()
    holder = served(model)
    requests = [passengers(rows, age) for rows, age in [(1, 1.0), (3, 70.0), (0, 0.0), (2, 12.0)]]
    assert holder.current is not None
    for request, answer in zip(requests, together(holder, *requests), strict=True):
        alone = predict(to_columns(request), holder.current)
        assert answer.labels.tolist() == alone.labels.tolist()
        assert answer.probabilities.tolist() == alone.probabilities.tolist()
        assert answer.json() == alone.json()


def test_what_arrives_later_is_predicted_later() -> None:
    model = CountingModel()

    async def ask() -> None:
        batcher = Batcher(served(model))
        await batcher.predict(passengers(1))
        await batcher.predict(passengers(2))

    asyncio.run(ask())
    assert model.calls == [1, 2]


def test_a_batch_does_not_grow_without_end_and_nobody_is_forgotten() -> None:
    model = CountingModel()
    answers = together(served(model), *[passengers(200)] * 10, passengers(7))
    assert [len(answer.labels) for answer in answers] == [200] * 10 + [7]
    assert sum(model.calls) == 2007
    assert max(model.calls) <= 1199


def test_a_swap_falls_between_two_batches() -> None:
    model = CountingModel()
    holder = served(model, "20260102-030405-000001")

    async def ask() -> list[Predicted]:
        batcher = Batcher(holder)
        waiting = [asyncio.ensure_future(batcher.predict(passengers(1))) for _ in range(3)]
        await asyncio.sleep(0)
        holder.current = ServedModel("20260102-030405-000002", model)
        waiting.append(asyncio.ensure_future(batcher.predict(passengers(1))))
        return list(await asyncio.gather(*waiting))

    versions = [answer.version for answer in asyncio.run(ask())]
    assert len(set(versions[:3])) == 1
    assert versions[3] == "20260102-030405-000002"


def test_a_client_that_leaves_takes_nobody_elses_answer_along() -> None:
    async def ask() -> Predicted:
        batcher = Batcher(served(CountingModel()))
        leaving = asyncio.ensure_future(batcher.predict(passengers(2)))
        staying = asyncio.ensure_future(batcher.predict(to_records(EXAMPLES)))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(ask()).labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("holder", "expected"),
    [(ServedModelHolder(), NoModelYet), (served(BrokenModel()), RuntimeError)],
)
def test_a_failure_reaches_everybody_who_waits(
    holder: ServedModelHolder, expected: type[Exception]
) -> None:
    async def ask() -> list[BaseException | Predicted]:
        batcher = Batcher(holder)
        waiting = [batcher.predict(passengers(1)) for _ in range(3)]
        return await asyncio.gather(*waiting, return_exceptions=True)

    failures = asyncio.run(asyncio.wait_for(ask(), 60))
    assert [type(failure) for failure in failures] == [expected] * 3


def test_after_a_failure_the_next_batch_is_answered() -> None:
    holder = ServedModelHolder()

    async def ask() -> Predicted:
        batcher = Batcher(holder)
        with pytest.raises(NoModelYet):
            await batcher.predict(passengers(1))
        holder.current = ServedModel("20260102-030405-000001", CountingModel())
        return await batcher.predict(passengers(1))

    assert asyncio.run(ask()).version == "20260102-030405-000001"
