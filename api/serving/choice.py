"""Which version to serve, chosen from what Redis, the store and this process know.

Does no I/O: the watcher reads, asks, and acts on the answers.
"""

from collections.abc import Iterable, Iterator, Mapping

from api import limits
from shared.versions.manifest import Manifest
from shared.versions.version_key import Reading


def named(reading: Reading, served: str | None) -> str | None:
    """Return the version that the key names, unless it is served already."""
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
    """Return whether `version` was never refused, or long enough ago to be mended since."""
    return version not in refused_at or now >= refused_at[version] + limits.REFUSED_VERSION_SECONDS


def to_put_back(reading: Reading, served: str | None) -> str | None:
    """Return the served version if Redis answers and its key is missing; else None."""
    return served if reading.redis_answers and reading.version is None else None
