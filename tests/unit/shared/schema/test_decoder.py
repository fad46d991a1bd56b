import contextlib
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.schema.decoder import REFUSED
from tests.support.titanic import EXAMPLES, FEATURES, Passenger, decode, to_records

PYDANTIC = TypeAdapter(list[Passenger])


def test_a_record_that_is_decoded_already_is_checked_as_well() -> None:
    with pytest.raises(msgspec.ValidationError, match="Age"):
        to_records([{"Sex": "male", "Age": -1}])


# --- the decoder and Pydantic say yes to the same ------------------------------------------------

VALUES = (
    *("0", "1", "-0.0", "-1", "3", "120", "120.00000000000001", "1.5", "1e2", "1E+2", "1e400"),
    *("0." + "0" * 400 + "1", "1" + "0" * 30, "9" * 400, "01", "+1", ".5", "5.", "1_0", "0x1"),
    *("3.0000000000000001", "1000000", "1000000.5", "NaN", "Infinity", "-Infinity"),
    *("null", "true", "false", "[]", "{}", '""', '"1"', '"male"', '"MALE"', '"mal\\u0065"'),
    *('"S"', '"\\ud800"', '"\\ud83d\\ude00"', '"male\\u0000"', '"\xff"', '"male', "'male'"),
)
FIELDS = [feature.name for feature in FEATURES]


def both(body: bytes) -> tuple[list[dict[str, Any]] | None, list[dict[str, Any]] | None]:
    """What each makes of a body; None where it refuses."""
    ours: list[dict[str, Any]] | None = None
    theirs: list[dict[str, Any]] | None = None
    with contextlib.suppress(*REFUSED):
        ours = [plain(msgspec.to_builtins(record)) for record in decode(body)]
    with contextlib.suppress(ValidationError):
        theirs = [plain({**passenger}) for passenger in PYDANTIC.validate_json(body)]
    return ours, theirs


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """Without what is missing, however that is written."""
    return {
        name: value
        for name, value in record.items()
        if value not in (None, "") and not (isinstance(value, float) and math.isnan(value))
    }


def written(fields: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in fields) + "}"


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("name", FIELDS)
def test_of_one_value_both_make_the_same(name: str, value: str) -> None:
    fields = {"Sex": '"male"'} | {name: value}
    body = f"[{written(list(fields.items()))}]".encode("latin-1")
    ours, theirs = both(body)
    assert ours == theirs


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b" ",
            b"[",
            b"[]",
            b" [ ] \n",
            b"[]x",
            b"[] []",
            b"\xef\xbb\xbf[]",
            b"null",
            b"{}",
            b"1",
        ),
        *(b"[{}]", b"[null]", b"[[]]", b"[1]", b'[{"Sex":"male"},]', b'[{"Sex":"male",}]'),
        *(b'[{"Sex":"male"} {"Sex":"male"}]', b"// c\n[]", b'[{"Sex":"male"}]\0', b"[" * 5000),
        *(b'[{"Sex":"male","age":3}]', b'[{"Sex":"male","":3}]', b'[{"Sex":"male","\xff":3}]'),
        b'[{"Sex":"male","x":' + b"[" * 5000,
        rb'[{"Sex":"male","\u0041ge":3}]',
        b'[{"Sex":"male","Sex":"female"}]',
        b'[{"Sex":"male","Age":1,"Age":null}]',
        '[{"Sex":"male"}]'.encode("utf-16"),
        *(json.dumps(EXAMPLES).encode(), json.dumps(EXAMPLES, indent=3).encode()),
    ],
)
def test_of_one_body_both_make_the_same(body: bytes) -> None:
    ours, theirs = both(body)
    assert ours == theirs


@pytest.mark.thorough
@settings(derandomize=True, deadline=None, max_examples=1000)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from([*FIELDS, "age"]), st.sampled_from(VALUES)), max_size=8),
        max_size=4,
    ),
    st.integers(0, 200),
)
def test_of_any_list_the_decoder_is_never_the_laxer(
    records: list[list[tuple[str, str]]], cut: int
) -> None:
    """The same answer, or a refusal of what comes twice in one record."""
    body = f"[{', '.join(written(fields) for fields in records)}]".encode("latin-1")
    for whole_or_not in (body, body[:cut]):
        ours, theirs = both(whole_or_not)
        twice = any(len({name for name, _ in fields}) < len(fields) for fields in records)
        assert ours == theirs or (ours is None and twice)
