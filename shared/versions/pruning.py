"""The pruning of a store: old versions and unwanted ones go, what is chosen stays."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from shared.errors import VersionNotFound
from shared.versions.store import ModelStore

KEEP_REJECTED_VERSIONS = 3


def prune(models: ModelStore, keep: int, unwanted: Iterable[str] = ()) -> list[str]:
    """Remove promoted versions beyond the newest `keep`, rejected ones beyond the newest three, and
    those that are unwanted; return the names of those removed.

    A version that is chosen stays, also if it is chosen while this goes on.

    Raises:
        OSError: the storage does not let go of a version, or nobody knows whether it is chosen.
    """
    removed = []
    for version in [*_old(models, keep), *unwanted]:
        # Another worker may be quicker.
        with suppress(VersionNotFound):
            # Looked up for each, because somebody may choose the next one meanwhile.
            if version != models.current() and models.discard(version):
                removed.append(version)
    return removed


def _old(models: ModelStore, keep: int) -> Iterator[str]:
    kept = {"promoted": keep, "rejected": KEEP_REJECTED_VERSIONS}
    for manifest in list(models.manifests()):
        kept[manifest.gate.outcome] -= 1
        if kept[manifest.gate.outcome] < 0:
            yield manifest.model_version
