from collections.abc import Iterator

import pytest
import redis

from api import limits
from api.serving.choice import may_be_tried, named, stored, to_put_back
from shared.versions.manifest import Manifest
from shared.versions.version_key import Reading
from tests.support.manifests import manifest
from tests.support.versions import gate

OLD, NEW, NEWEST = (f"20260102-030405-00000{number}" for number in range(3))

AWAY = Reading(None, redis.ConnectionError("refused"))
MISSING = Reading(None)
NAMED = Reading(NEW)


@pytest.mark.parametrize(
    ("reading", "served", "expected"),
    [
        (NAMED, None, NEW),
        (NAMED, OLD, NEW),
        (NAMED, NEW, None),
        (MISSING, OLD, None),
        (MISSING, None, None),
        (AWAY, OLD, None),
    ],
)
def test_the_key_names_what_to_swap_to(
    reading: Reading, served: str | None, expected: str | None
) -> None:
    assert named(reading, served) == expected


def test_of_the_store_the_last_choice_is_tried_first_and_then_what_was_promoted() -> None:
    manifests = [
        manifest(NEWEST, gate=gate("rejected")),
        manifest(NEW),
        manifest(OLD),
    ]
    assert list(stored(None, manifests)) == [NEW, OLD]
    assert list(stored(OLD, manifests)) == [OLD, NEW, OLD]
    assert list(stored(NEWEST, manifests)) == [NEWEST, NEW, OLD], "a choice beats the gate"
    assert list(stored(None, [])) == []


def test_no_manifest_is_read_before_it_is_needed() -> None:
    def manifests() -> Iterator[Manifest]:
        yield manifest(NEW)
        raise AssertionError("read without need")

    candidates = stored(OLD, manifests())
    assert [next(candidates), next(candidates)] == [OLD, NEW]


def test_a_refused_version_rests_and_is_tried_again() -> None:
    refused_at = {NEW: 1000.0}
    assert may_be_tried(OLD, refused_at, now=1000.0)
    assert not may_be_tried(NEW, refused_at, now=1000.0)
    assert not may_be_tried(NEW, refused_at, now=999.9 + limits.REFUSED_VERSION_SECONDS)
    assert may_be_tried(NEW, refused_at, now=1000.0 + limits.REFUSED_VERSION_SECONDS)


@pytest.mark.parametrize(
    ("reading", "served", "expected"),
    [
        (MISSING, OLD, OLD),
        (MISSING, None, None),
        (NAMED, OLD, None),
        (AWAY, OLD, None),
    ],
)
def test_only_a_key_that_is_missing_is_put_back(
    reading: Reading, served: str | None, expected: str | None
) -> None:
    assert to_put_back(reading, served) == expected
