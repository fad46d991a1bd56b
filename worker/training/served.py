"""What is served now, as far as it can be told: what the gate compares a candidate with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from shared.errors import LifeboatError, VersionNotFound
from shared.versions import names
from shared.versions.manifest import Manifest
from shared.versions.store import ModelStore


@dataclass(frozen=True, slots=True)
class Served:
    """The version that is served, or why it cannot be compared with; neither if none is served."""

    manifest: Manifest | None = None
    unknown: str = ""


Look = Callable[[], Served]


def look(models: ModelStore, named: str | None, in_memory: Iterable[str] = ()) -> Served:
    """Find what is served, whatever its schema.

    `named` is what the version key names, and `in_memory` what the API's processes say that they
    serve. A key that names nothing servable has changed nothing: what was last chosen is served.
    """
    reasons, missing = [], []
    try:
        chosen = models.current()
    except OSError as error:
        return Served(unknown=f"the choice cannot be read: {error}")
    for version in (named, chosen):
        if version is None or not names.is_name(version):
            continue
        try:
            return Served(models.load(version)[0])
        except VersionNotFound as error:
            missing.append(str(error))
        except LifeboatError as error:
            reasons.append(str(error))
    serving = sorted(in_memory)
    reasons = reasons or list(models.unreadable())
    if missing and (serving or models.versions()):
        # On an empty volume it is gone for good, as when somebody has removed the folder.
        reasons = missing + reasons
    if not reasons:
        # What a process that starts would serve.
        for manifest in models.manifests():
            if manifest.gate.outcome == "promoted":
                return Served(manifest)
    if serving and not reasons:
        reasons = [f"{serving[0]} is served and is not in the models folder"]
    return Served(unknown=reasons[0] if reasons else "")
