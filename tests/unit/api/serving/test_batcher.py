import asyncio
from collections.abc import Sequence
from typing import Any

from api.serving.batcher import Batcher
from api.serving.predictor import Predicted, predict
from api.serving.served_model import ServedModel
from shared.schema.columns import Columns
from shared.versions.onnx_model import Answer, OnnxModel
from tests.support.titanic import EXAMPLES, SCHEMA, served_model, to_columns, to_records
from tests.support.versions import exported_pipeline


class CountingModel(OnnxModel):
    """The real model, which notes how many rows each call had."""

    def __init__(self) -> None:
        super().__init__(exported_pipeline(), SCHEMA)
        self.calls: list[int] = []

    def predict(self, columns: Columns) -> Answer:
        self.calls.append(len(columns["Age"]))
        return super().predict(columns)


class BrokenModel(OnnxModel):
    def __init__(self) -> None:
        super().__init__(exported_pipeline(), SCHEMA)

    def predict(self, columns: Columns) -> Answer:
        raise RuntimeError("a bug")


def served(model: OnnxModel, version: str = "20260102-030405-abcdef") -> ServedModel:
    return served_model(version, model)


def passengers(rows: int, age: float = 30.0) -> Sequence[Any]:
    return to_records([{"Sex": "female", "Age": age + i % 20, "Fare": 8.0} for i in range(rows)])


def together(model: ServedModel, *requests: Sequence[Any]) -> list[Predicted]:
    """The answers to requests that arrive in one turn of the event loop."""

    async def ask() -> list[Predicted]:
        batcher = Batcher()
        return list(await asyncio.gather(*(batcher.records(each, model) for each in requests)))

    return asyncio.run(ask())


def test_what_arrives_together_is_predicted_in_one_call() -> None:
    model = CountingModel()
    together(served(model), *[passengers(1)] * 5, passengers(3))
    assert model.calls == [8]


def test_each_request_gets_its_own_rows_in_its_own_order() -> None:
    model = served(CountingModel())
    requests = [passengers(rows, age) for rows, age in [(1, 1.0), (3, 70.0), (0, 0.0), (2, 12.0)]]
    for request, answer in zip(requests, together(model, *requests), strict=True):
        alone = predict(to_columns(request), model)
        assert answer.label.tolist() == alone.label.tolist()
        assert answer.probabilities.tolist() == alone.probabilities.tolist()
        assert answer.json() == alone.json()


def test_what_arrives_later_is_predicted_later() -> None:
    model = CountingModel()

    async def ask() -> None:
        batcher, one = Batcher(), served(model)
        await batcher.records(passengers(1), one)
        await batcher.records(passengers(2), one)

    asyncio.run(ask())
    assert model.calls == [1, 2]


def test_a_batch_does_not_grow_without_end_and_nobody_is_forgotten() -> None:
    model = CountingModel()
    answers = together(served(model), *[passengers(200)] * 10, passengers(7))
    assert [len(answer.label) for answer in answers] == [200] * 10 + [7]
    assert sum(model.calls) == 2007
    assert max(model.calls) <= 1199


def test_what_a_version_has_decoded_is_predicted_by_that_version() -> None:
    """A swap falls between requests of one turn of the event loop, back and forth."""
    calls = [CountingModel() for _ in range(2)]
    older, newer = (served(calls[i], f"20260102-030405-00000{i}") for i in range(2))
    order = [older, older, newer, older, newer, newer]

    async def ask() -> list[Predicted]:
        batcher = Batcher()
        return list(await asyncio.gather(*(batcher.records(passengers(1), one) for one in order)))

    answers = asyncio.run(ask())
    assert [answer.version for answer in answers] == [one.version for one in order]
    assert [len(answer.label) for answer in answers] == [1] * len(order)
    assert [model.calls for model in calls] == [[2, 1], [1, 2]]


def test_a_client_that_leaves_takes_nobody_elses_answer_along() -> None:
    async def ask() -> Predicted:
        batcher, one = Batcher(), served(CountingModel())
        leaving = asyncio.ensure_future(batcher.records(passengers(2), one))
        staying = asyncio.ensure_future(batcher.records(to_records(EXAMPLES), one))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(ask()).label.tolist() == [0, 1]


def test_a_failure_reaches_everybody_who_waits_and_the_next_batch_is_answered() -> None:
    async def ask() -> tuple[list[BaseException | Predicted], Predicted]:
        batcher, broken = Batcher(), served(BrokenModel())
        waiting = [batcher.records(passengers(1), broken) for _ in range(3)]
        failures = await asyncio.gather(*waiting, return_exceptions=True)
        return failures, await batcher.records(passengers(1), served(CountingModel()))

    failures, answer = asyncio.run(asyncio.wait_for(ask(), 60))
    assert [type(failure) for failure in failures] == [RuntimeError] * 3
    assert answer.label.tolist() == [1]
