"""Whether a version may take the place of another: who asks the one must be answered by the other.

The promotion gate asks, and so does whoever chooses a version.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence

from shared.schema.features import Feature
from shared.schema.schema import UNKNOWN_TARGET, Schema

_NAMED = 5
"""Differences, or categories, that a sentence names."""


def breaks(served: Schema, candidate: Schema) -> str:
    """Return how a candidate breaks what the served version promises; empty if it does not.

    It does not if every request that the served version answers is answered by the candidate, too,
    and the answers have the same shape. Wider is fine: new optional fields, more categories, wider
    bounds.
    """
    found = [*_answers(served, candidate), *_requests(served, candidate)]
    return "; ".join(found[:_NAMED]) + (
        f"; and {more} more" if (more := len(found[_NAMED:])) else ""
    )


def is_same(one: Schema, other: Schema) -> bool:
    """Return whether two schemas have the same requests and answers, whatever they are called."""
    return not breaks(one, other) and not breaks(other, one)


def digest(schema: Schema) -> str:
    """Return what stands for the requests and answers of a schema, whatever they are called."""
    parts = schema.model_dump_json(
        include={
            **{"target": True, "kind": True, "classes": True, "positive": True},
            "features": {"__all__": {*Feature.model_fields} - {"description"}},
        }
    )
    return hashlib.sha256(parts.encode()).hexdigest()


def _answers(served: Schema, candidate: Schema) -> Iterator[str]:
    if (
        UNKNOWN_TARGET not in (served.target, candidate.target)
        and served.target != candidate.target
    ):
        yield f"the target was {served.target} and is {candidate.target}"
    if served.kind != candidate.kind:
        yield f"the kind was {served.kind} and is {candidate.kind}"
        return
    # `True == 1`, but clients read `true`.
    if [*map(_typed, served.classes)] != [*map(_typed, candidate.classes)]:
        yield f"the labels were {_listed(served.classes)} and are {_listed(candidate.classes)}"
    elif served.positive != candidate.positive:
        yield (
            f"the label whose probability is answered was {served.positive!r} and is "
            f"{candidate.positive!r}"
        )


def _requests(served: Schema, candidate: Schema) -> Iterator[str]:
    now = {feature.name: feature for feature in candidate.features}
    before = {feature.name: feature for feature in served.features}
    for feature in served.features:
        if feature.name in now:
            yield from _field(feature, now[feature.name])
        else:
            yield f"the field {feature.name} went"
    for feature in candidate.features:
        if feature.required and feature.name not in before:
            yield f"the field {feature.name} is new and required"


def _field(served: Feature, candidate: Feature) -> Iterator[str]:
    name = served.name
    if candidate.required and not served.required:
        yield f"{name} became required"
    if served.kind != candidate.kind:
        yield f"{name} was a {served.kind} and is a {candidate.kind}"
    elif served.kind == "category":
        if lost := [text for text in served.categories if text not in candidate.categories]:
            word = "category" if len(lost) == 1 else "categories"
            yield f"{name} lost the {word} {_listed(lost)}"
    elif candidate.whole and not served.whole or not _within(served, candidate):
        yield f"{name} was {served.expected} and is {candidate.expected}"


def _within(served: Feature, candidate: Feature) -> bool:
    """Return whether all numbers that were sound still are."""
    lowest, highest = served.bounds
    if served.whole:
        lowest, highest = float(math.ceil(lowest)), float(math.floor(highest))
    least, most = candidate.bounds
    return least <= lowest and highest <= most


def _typed(label: object) -> tuple[str, object]:
    return type(label).__name__, label


def _listed(values: Sequence[object]) -> str:
    texts = [repr(value) for value in values]
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return ", ".join(texts[:_NAMED]) + more
