"""Whatever the body of a prediction: a refusal that says why, or the right numbers."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.limits import INLINE_BYTES
from shared.schema.columns import Columns
from shared.schema.features import Feature
from shared.settings import Settings
from shared.versions.onnx_model import OnnxModel
from tests.support.titanic import EXAMPLES, FEATURES, SCHEMA
from tests.support.versions import exported_pipeline
from tests.unit.api.conftest import lifespan_of

SOUND = json.dumps(EXAMPLES * 3).encode()
NAMES = [feature.name for feature in FEATURES]
LARGE = 1200
"""Passengers of a body that is predicted in a thread."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One for every example."""
    app = create_app(Settings(_env_file=None), lifespan_of(tmp_path_factory.mktemp("models")))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    return OnnxModel(exported_pipeline(), SCHEMA)


def meant(body: bytes) -> Columns:
    """The columns of a body that was taken, read by other code than the service's."""
    records = json.loads(body.decode())
    assert all(record.keys() <= {*NAMES} for record in records)

    def column(name: str, kind: str) -> Any:
        values = [record.get(name) for record in records]
        if kind == "number":
            assert not {type(value) for value in values} - {int, float, type(None)}
            return np.array([np.nan if v is None else float(v) for v in values], np.float32)
        return np.array([v or "" for v in values], object)

    return {feature.name: column(feature.name, feature.kind).reshape(-1, 1) for feature in FEATURES}


def check(client: TestClient, model: OnnxModel, body: bytes, **headers: str) -> int:
    answer = client.post("/predict", content=body, headers=headers)
    status: int = answer.status_code
    if status == 200:
        found = model.predict(meant(body)).probabilities
        assert found is not None
        expected = found[:, 1]
        assert np.array_equal(np.array(answer.json()["probabilities"], np.float32), expected)
    else:
        assert 400 <= status < 500, (status, body, answer.text)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json()["detail"]
        assert len(answer.content) < 20_000
    return status


# --- what a body can be --------------------------------------------------------------------------

WRITTEN = ["{!r}", "{:.40f}", "{:e}", "{:.17E}", "{:.3g}", "{:.20e}"]
"""Ways to write one number, exactly or nearly."""

number = st.one_of(
    st.builds(str.format, st.sampled_from(WRITTEN), st.floats(allow_nan=False)),
    st.builds(
        "{}{}.{}e{}".format,
        *(st.sampled_from(["", "-", "0"]), st.integers(0, 10**25), st.integers(0, 10**25)),
        st.integers(-500, 500),
    ),
    st.sampled_from(
        ["NaN", "Infinity", "-Infinity", "1e400", "9" * 30, "9" * 400, "-0", "1.", "+1"]
    ),
)
text = st.one_of(
    st.sampled_from(
        [*('"male"', '"female"', '"S"', '"Q"', '"\\u0053"', '"\\ud800"', '"\\udfff\\ud83d"', '""')]
    ),
    st.text(max_size=8).map(json.dumps),
)
other = st.sampled_from(
    ["null", "true", "false", "[]", "{}", "[" * 3000, '{"a":' * 3000, "'S'", ""]
)
value = st.one_of(number, text, other)


def sound_value(feature: Feature) -> st.SearchStrategy[str]:
    if feature.kind == "category":
        values = st.sampled_from([*map(json.dumps, feature.categories)])
    else:
        low, high = feature.minimum or 0, feature.maximum or 1e6
        some = st.integers(int(low), int(high)) if feature.whole else st.floats(low, high)
        ways = WRITTEN[1:3] if feature.whole else WRITTEN
        values = st.builds(str.format, st.sampled_from(ways), some.map(float))
    return values if feature.required else values | st.just("null")


def record_of(value: Callable[[Feature], st.SearchStrategy[str]]) -> st.SearchStrategy[str]:
    required = {f.name: value(f) for f in FEATURES if f.required}
    optional = {f.name: value(f) for f in FEATURES if not f.required}
    return st.fixed_dictionaries(required, optional=optional).map(
        lambda some: written(some.items())
    )


def written(fields: Iterable[tuple[str, str]]) -> str:
    return "{" + ",".join(f'"{name}": {value}' for name, value in fields) + "}"


unlikely = st.lists(st.tuples(st.sampled_from([*NAMES, "age", "", "\\ud800"]), value), max_size=9)
sound_record = record_of(sound_value)
record = st.one_of(
    sound_record,
    record_of(lambda f: sound_value(f) | (number if f.kind == "number" else text)),
    unlikely.map(written),
)


def body_of(record: st.SearchStrategy[str]) -> st.SearchStrategy[bytes]:
    return st.lists(record, max_size=4).map(lambda some: f"[{','.join(some)}]".encode())


any_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
).map(lambda found: json.dumps(found).encode())
damage = st.tuples(st.integers(0, len(SOUND)), st.integers(0, 9), st.binary(max_size=6)).map(
    lambda cut: SOUND[: cut[0]] + cut[2] + SOUND[cut[0] + cut[1] :]
)
around = st.sampled_from(
    [b"", b"", b"", b"\xef\xbb\xbf", b" \n", b"\0", b"x", b"[]", b",", b"\xff"]
)
whole = st.one_of(body_of(record), damage, any_json, st.binary(max_size=60))


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=200)
@given(body_of(sound_record))
def test_a_sound_body_is_answered_right_however_its_numbers_are_written(
    client: TestClient, model: OnnxModel, body: bytes
) -> None:
    assert check(client, model, body) == 200


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=300)
@given(around, whole, around)
def test_any_body_is_refused_with_a_reason_or_answered_right(
    client: TestClient, model: OnnxModel, before: bytes, body: bytes, after: bytes
) -> None:
    check(client, model, before + body + after)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(record, st.integers(0, LARGE - 1))
def test_so_is_a_long_one_with_one_record_that_may_be_wrong(
    client: TestClient, model: OnnxModel, hostile: str, place: int
) -> None:
    records = [json.dumps(EXAMPLES[i % 2] | {"Fare": i, "Parch": None}) for i in range(LARGE)]
    records[place] = hostile
    body = f"[{','.join(records)}]".encode()
    assert len(body) > INLINE_BYTES
    check(client, model, body)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (SOUND, {}, 200),
        (SOUND, {"Content-Type": "text/plain"}, 200),
        (SOUND, {"Content-Type": "application/json; charset=utf-16"}, 200),
        (SOUND, {"Content-Type": "multipart/form-data; boundary=x"}, 200),
        (SOUND.decode().encode("utf-16"), {"Content-Type": "application/json"}, 422),
        (b"\xef\xbb\xbf" + SOUND, {}, 422),
        (SOUND + b"\n\t ", {}, 200),
        (SOUND + SOUND, {}, 422),
        (gzip.compress(SOUND, mtime=0), {"Content-Encoding": "gzip"}, 415),
        (b"Age=22&Sex=male", {"Content-Type": "application/x-www-form-urlencoded"}, 422),
    ],
)
def test_a_body_is_read_as_json_whatever_its_headers_say(
    client: TestClient, model: OnnxModel, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert check(client, model, body, **headers) == status


def test_of_a_field_that_comes_twice_the_last_value_counts(
    client: TestClient, model: OnnxModel
) -> None:
    """As in every JSON reader that the answer is compared with; where one is wrong, neither."""
    assert check(client, model, b'[{"Sex": "male", "Sex": "female"}]') == 200
    assert check(client, model, b'[{"Sex": "male", "Age": -1, "Age": 3}]') == 422
