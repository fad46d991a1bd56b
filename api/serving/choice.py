"""The choice of the version to serve, from what Redis, the store and this process know.

The functions do no I/O: the watcher reads, asks them, and acts on their answers.
"""

from collections.abc import Iterable, Iterator, Mapping

from api import limits
from shared.versions.manifest import Manifest
from shared.versions.version_key import Reading


def named(reading: Reading, served: str | None) -> str | None:
    """Return the version that the key names; None if the version is served or the key missing."""
    return None if reading.version == served else reading.version


def stored(current: str | None, manifests: Iterable[Manifest]) -> Iterator[str]:
    """Yield the versions to try while nothing is served: the last choice, then the promoted ones.

    `current` is the version that `current.json` names. The order of `manifests` is kept.
    """
    if current is not None:
        yield current
    for manifest in manifests:
        if manifest.gate.outcome == "promoted":
            yield manifest.model_version


def may_be_tried(version: str, refused_at: Mapping[str, float], now: float) -> bool:
    """Return whether `version` was never refused, or was refused long enough ago to be mended."""
    return version not in refused_at or now >= refused_at[version] + limits.REFUSED_VERSION_SECONDS


def to_put_back(reading: Reading, served: str | None) -> str | None:
    """Return the served version if the choice was asked for and is missing; else None."""
    return served if reading.answers and reading.version is None else None
