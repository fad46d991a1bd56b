from typing import Any

import pytest

from shared.schema.compatibility import breaks, digest, is_same
from shared.schema.features import Feature
from shared.schema.schema import UNKNOWN_TARGET, Kind, Schema

AGE = Feature(name="age", kind="number", required=False, minimum=0, maximum=100)
FLOORS = Feature(name="floors", kind="number", required=False, whole=True, minimum=1)
PLACE = Feature(name="place", kind="category", required=False, categories=("a", "b"))
ID = Feature(name="id", kind="number", required=True)
SERVED = Schema(
    record="House",
    features=(AGE, FLOORS, PLACE, ID),
    target="sold",
    kind=Kind.BINARY,
    classes=("no", "yes"),
    positive="yes",
)


def schema(**changes: Any) -> Schema:
    return SERVED.model_copy(update=changes)


def with_field(feature: Feature, **changes: Any) -> Schema:
    changed = feature.model_copy(update=changes)
    return schema(features=tuple(changed if f is feature else f for f in SERVED.features))


WIDER = [
    schema(),
    schema(record="Home", description="A house.", examples=({"id": 2},)),
    schema(features=tuple(reversed(SERVED.features))),
    schema(features=(*SERVED.features, AGE.model_copy(update={"name": "new"}))),
    with_field(AGE, minimum=-1, maximum=None),
    with_field(AGE, minimum=None, above=-0.5),
    with_field(FLOORS, whole=False),
    # Of whole numbers, none lies between.
    with_field(FLOORS, minimum=None, above=0.5),
    with_field(PLACE, categories=("c", "b", "a")),
    with_field(ID, required=False),
    with_field(ID, description="Of the register."),
]


@pytest.mark.parametrize("candidate", WIDER)
def test_what_answers_all_that_was_answered_breaks_nothing(candidate: Schema) -> None:
    assert breaks(SERVED, candidate) == ""


BROKEN = [
    (schema(features=SERVED.features[1:]), "the field age went"),
    (
        schema(features=(*SERVED.features, ID.model_copy(update={"name": "new"}))),
        "the field new is new and required",
    ),
    (with_field(AGE, required=True), "age became required"),
    (with_field(PLACE, required=True), "place became required"),
    (
        with_field(AGE, maximum=90),
        "age was a number at least 0 and at most 100 and is a number at least 0 and at most 90",
    ),
    (with_field(AGE, minimum=None, above=0), "and is a number more than 0 and at most 100"),
    (with_field(AGE, whole=True), "and is a whole number at least 0"),
    (with_field(FLOORS, maximum=3), "floors was a whole number at least 1 and is a whole number"),
    (with_field(PLACE, categories=("b", "c")), "place lost the category 'a'"),
    (
        with_field(AGE, kind="category", categories=("1", "2")),
        "age was a number and is a category",
    ),
    (schema(target="price"), "the target was sold and is price"),
    (schema(classes=("no", "sure"), positive="sure"), "the labels were 'no', 'yes' and are"),
    (schema(classes=("maybe", "no", "yes"), kind=Kind.MULTICLASS), "the kind was binary and is"),
    (schema(positive="no"), "whose probability is answered was 'yes' and is 'no'"),
    (schema(kind=Kind.REGRESSION, classes=(), positive=None), "the kind was binary and is regress"),
]


@pytest.mark.parametrize(("candidate", "said"), BROKEN)
def test_what_clients_would_notice_is_named(candidate: Schema, said: str) -> None:
    assert said in breaks(SERVED, candidate)
    assert not is_same(SERVED, candidate)
    assert digest(SERVED) != digest(candidate)


def test_zero_and_false_are_not_the_same_label() -> None:
    numbers = schema(classes=(0, 1), positive=1)
    booleans = schema(classes=(False, True), positive=True)
    assert "the labels were 0, 1 and are False, True" in breaks(numbers, booleans)


def test_many_differences_are_counted() -> None:
    features = tuple(AGE.model_copy(update={"name": f"f{number}"}) for number in range(9))
    said = breaks(schema(features=features), schema(features=(ID,)))
    assert said.count(";") == 5 and said.endswith("and 5 more")


def test_a_version_that_does_not_know_its_target_is_of_any() -> None:
    assert breaks(schema(target=UNKNOWN_TARGET), SERVED) == ""
    assert is_same(SERVED, schema(target=UNKNOWN_TARGET))


def test_the_same_requests_and_answers_have_the_same_digest() -> None:
    other = schema(record="Home", description="A house.", examples=({"id": 2},))
    assert is_same(SERVED, other) and digest(SERVED) == digest(other)
    described = with_field(ID, description="Of the register.")
    assert is_same(SERVED, described) and digest(SERVED) == digest(described)
