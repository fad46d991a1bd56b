import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api import limits
from api.serving import refusals
from api.serving.bodies import records
from api.serving.pieces import pieces
from shared.errors import TooManyRows
from shared.schema.decoder import REFUSED
from tests.support.large_bodies import MOST, RECORDS, filled
from tests.support.titanic import DECODER, REFUSALS, decode, explain

LONGEST = limits.PIECE_BYTES + limits.RECORD_BYTES + 2


@pytest.fixture
def given_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The length of each text that was given to something that holds the interpreter."""
    lengths: list[int] = []

    def noting(call: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def noted(text: bytes) -> Any:
            lengths.append(len(text))
            return call(text)

        return noted

    for name in ("count", "from_json"):
        monkeypatch.setattr(refusals, name, noting(getattr(refusals, name)))
    monkeypatch.setattr(DECODER, "decode", noting(DECODER.decode))
    monkeypatch.setattr(REFUSALS, "_decode", noting(DECODER.decode))
    return lengths


@pytest.mark.parametrize("body", RECORDS.values(), ids=RECORDS)
def test_no_call_is_given_more_than_a_piece_and_the_refusal_says_why(
    body: bytes, given_bytes: list[int]
) -> None:
    with pytest.raises((TooManyRows, *REFUSED)):
        records(body, 10_000, DECODER)
    try:
        found = explain(body, 10_000)
    except TooManyRows as error:
        assert "at most 10000 rows" in str(error)
    else:
        assert found and len(json.dumps(found)) < 10_000
    assert max(given_bytes) <= LONGEST


@pytest.mark.parametrize("unit", [b"{}", b'{"Sex":"male"}', b'{"age":1}'])
def test_what_too_many_rows_cost_does_not_grow_with_the_body(
    unit: bytes, given_bytes: list[int]
) -> None:
    with pytest.raises(TooManyRows):
        try:
            records(filled(unit), 10_000, DECODER)
        except REFUSED:
            explain(filled(unit), 10_000)
    # A piece is decoded, explained and counted.
    assert sum(given_bytes) < 4 * (10_000 * (len(unit) + 1) + limits.PIECE_BYTES)


def test_a_long_body_may_end_in_blanks() -> None:
    body = b'[{"Sex":"male"}]'.ljust(MOST)
    assert len(records(body, 1, DECODER)) == 1
    with pytest.raises(REFUSED):
        records(body[:-1] + b"x", 1, DECODER)
    with pytest.raises(REFUSED):
        records(body[:-1] + b"\x0b", 1, DECODER)


@pytest.mark.parametrize("row", [0, 9_000])
@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"Sex": "male", "Age": -1}, "Age"),
        ({"Sex": "male", "x": {"a": [{"b": 1}, {"c": 2}], "d": 3}}, "x"),
        ({"Sex": "male", "Pclass": 1.0000000001}, "Pclass"),
    ],
)
def test_an_error_is_found_in_its_record_wherever_the_record_is(
    record: dict[str, object], field: str, row: int
) -> None:
    body = json.dumps([{"Sex": "male"}] * row + [record] + [{"Sex": "female"}] * 900).encode()
    (error,) = explain(body, 10_000)
    assert error["loc"] == ["body", row, field]
    assert str(error["msg"]).startswith(f"passenger {row}, {field}: ")


def test_malformed_json_is_found_at_its_line_and_column() -> None:
    line = b'{"Sex":"male"},'
    lines = [b"[", *[line] * 9_000, b'{"Sex": male}', b"]"]
    (error,) = explain(b"\n".join(lines), 10_000)
    assert "line 9002 column 9" in str(error["msg"])
    (error,) = explain(b"".join(lines), 10_000)
    assert f"line 1 column {1 + len(line) * 9_000 + 9}" in str(error["msg"])


def test_errors_that_pydantic_finds_and_that_the_feature_finds_are_told_together() -> None:
    wrong = [{"Sex": "male", "Pclass": 2.0000000001}, {"Sex": "male", "Age": -1}]
    found = explain(json.dumps(wrong).encode(), 10)
    assert [error["loc"] for error in found] == [["body", 0, "Pclass"], ["body", 1, "Age"]]


TEXTS = ['"male"', '"},{"', '"}"', "1", '"\\"},{\\""', "[]", '[{"a":1},{"b":2}]', '{"c":{},"d":1}']
BLANKS = st.sampled_from(["", " ", "\n\t", "  \r\n"])


@st.composite
def lists(draw: st.DrawFn) -> bytes:
    """A list of records, sound or not, in any layout, which may have been damaged afterwards."""
    fields = st.tuples(st.sampled_from(["Sex", "Age", "x"]), st.sampled_from(TEXTS))
    some = draw(st.lists(st.lists(fields, max_size=2) | st.just([("Sex", '"male"')]), max_size=9))
    between = f"{draw(BLANKS)},{draw(BLANKS)}"
    written = ["{" + between.join(f'"{n}":{v}' for n, v in fields) + "}" for fields in some]
    body = f"{draw(BLANKS)}[{draw(BLANKS)}{between.join(written)}{draw(BLANKS)}]{draw(BLANKS)}"
    cut = draw(st.integers(0, len(body)))
    damage = draw(st.sampled_from(["", "", "", "}", "]", ",", "]["]))
    return (body[:cut] + damage + body[cut:]).encode()


@settings(derandomize=True, deadline=None, max_examples=150)
@given(lists())
def test_pieces_are_decoded_as_the_whole_is(body: bytes) -> None:
    try:
        whole: object = decode(body)
    except REFUSED:
        whole = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "PIECE_BYTES", 10)
        patch.setattr(limits, "RECORD_BYTES", 60)
        try:
            cut: object = records(body, 100, DECODER)
        except REFUSED:
            cut = None
            assert explain(body, 100)
    assert cut == whole


def test_a_short_body_is_one_piece() -> None:
    (piece,) = pieces(b"[1, 2]")
    assert (piece.text, piece.start, piece.endless) == (b"[1, 2]", 0, False)
