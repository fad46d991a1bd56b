"""The names of versions: the UTC time of creation and a random part, so that names rise."""

import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from shared.errors import VersionNotFound
from shared.versions.manifest import MANIFEST_FILE, VERSION_PATTERN

_TIME_FORMAT = "%Y%m%d-%H%M%S"


def is_name(text: str) -> bool:
    return VERSION_PATTERN.fullmatch(text) is not None


def checked(version: str) -> str:
    """Return the name if a version can have it, and raise VersionNotFound otherwise.

    Names come from clients and from Redis: none becomes part of a key unchecked.
    """
    if not is_name(version):
        raise unknown(version)
    return version


def unknown(version: str) -> VersionNotFound:
    return VersionNotFound(f"there is no model version {version[:80]!r}; see GET /models")


def published(keys: Iterable[str]) -> set[str]:
    """Return the versions of which the keys have a manifest."""
    split = (key.split("/") for key in keys)
    return {parts[0] for parts in split if parts[1:] == [MANIFEST_FILE] and is_name(parts[0])}


def seconds_since(version: str) -> float:
    """Return how long ago a version was named; infinite if its name is not a time."""
    try:
        return (datetime.now(UTC) - _time_of(version)).total_seconds()
    except (ValueError, OverflowError):
        return float("inf")


def later_than(versions: Iterable[str]) -> str:
    """Return a new name, later than `versions` (newest first) even if the clock was set back."""
    moment = datetime.now(UTC)
    # Not every name that fits the pattern is a time: 99999999-999999-abcdef is not.
    for version in versions:
        with suppress(ValueError, OverflowError):
            moment = max(moment, _time_of(version) + timedelta(seconds=1))
            break
    return f"{moment.strftime(_TIME_FORMAT)}-{secrets.token_hex(3)}"


def _time_of(version: str) -> datetime:
    return datetime.strptime(version.rpartition("-")[0], _TIME_FORMAT).replace(tzinfo=UTC)
