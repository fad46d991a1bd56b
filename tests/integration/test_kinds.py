"""An API whose served version changes its schema and its kind, as `/metrics` shows."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime.redis_keys import VERSION
from shared.schema.schema import Schema
from shared.versions.manifest import TrainingData
from tests.support import kinds
from tests.support.kinds import DIABETES, PENGUINS, PENGUINS_SEX
from tests.support.processes import Api, Stack, wait_for

_OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("kinds"))
    yield stack
    stack.end()


@pytest.fixture(scope="module")
def api(stack: Stack) -> Api:
    return stack.start_api(processes=2)


def _serve(stack: Stack, api: Api, version: str) -> None:
    stack.redis.client.set(VERSION, version)
    wait_for(
        lambda: api.version_everywhere() == version, why="the processes serve different versions"
    )


def _ask(api: Api, schema: Schema, rows: int) -> None:
    answer = api.http.post("/predict", json=[*schema.examples] * rows)
    assert answer.status_code == 200, answer.text


def _samples(api: Api, name: str) -> dict[str, float]:
    text = api.http.get("/metrics").text
    found = re.findall(rf"^({name}(?:{{.*}})?) (\S+)$", text, re.M)
    return {series: float(value) for series, value in found}


def _values(api: Api) -> list[float]:
    """The numbers predicted, by the set of buckets."""
    return sorted(_samples(api, "lifeboat_predicted_value_count").values())


def test_counts_outlast_swaps_between_kinds_and_nothing_is_mixed(stack: Stack, api: Api) -> None:
    penguins = kinds.publish(stack.models_dir, PENGUINS)
    sex = kinds.publish(stack.models_dir, PENGUINS_SEX)
    diabetes = kinds.publish(stack.models_dir, DIABETES)
    other_table = TrainingData(source="test", sha256="1" * 64, rows=9, quantiles=[0, 100])
    other = kinds.publish(stack.models_dir, DIABETES, data=other_table)
    rows = 0
    for version, schema, asked in [
        (penguins, PENGUINS, 3),
        (diabetes, DIABETES, 5),
        (sex, PENGUINS_SEX, 7),
        (other, DIABETES, 11),
        (diabetes, DIABETES, 13),
        (penguins, PENGUINS, 17),
    ]:
        _serve(stack, api, version)
        # Each process has its own counts, and either may answer.
        for _ in range(4):
            _ask(api, schema, asked)
            rows += asked
    wait_for(
        lambda: (
            _samples(api, "lifeboat_predicted_rows_total")
            == {"lifeboat_predicted_rows_total": rows}
        )
    )
    wait_for(lambda: _values(api) == [44, 72], why=str(_values(api)))
    labels = _samples(api, "lifeboat_predictions_total")
    assert sum(labels.values()) == 4 * (3 + 7 + 17)
    shown = {re.findall(r'label="(.*)"', series)[0] for series in labels}
    assert shown == {"Adelie", "Chinstrap", "Gentoo", "female", "male"}
    assert _samples(api, "lifeboat_predicted_probability_count") == {
        "lifeboat_predicted_probability_count": 4 * (3 + 7 + 17)
    }
    # 1 + 5 * 27.5 + 0.5 * 48 for each record.
    buckets = _samples(api, "lifeboat_predicted_value_bucket")
    (below,) = {value for series, value in buckets.items() if 'le="140.5"' in series}
    (above,) = {value for series, value in buckets.items() if 'le="168"' in series}
    assert (below, above) == (0, 72)


def test_the_documents_list_the_labels_of_a_regression(api: Api) -> None:
    (labels,) = re.findall(r"^\| `lifeboat_predicted_value\{(.*)\}`", _OPERATIONS, re.M)
    for series in _samples(api, "lifeboat_predicted_value_count"):
        assert ", ".join(re.findall(r"(\w+)=", series)) == labels
