"""Chooses the version to serve, without Redis and without a server: `python -m worker.choice`.

It needs the right to read the store of versions and to replace `current.json`, and no other.
"""

import argparse

from shared import command, refusal
from shared.errors import SchemaBreaks, StoreUnreachable, VersionNotFound, VersionNotServable
from shared.resources import model_store
from shared.schema.compatibility import breaks
from shared.versions.current import Note
from shared.versions.store import ModelStore


def main() -> int:
    """Note the version in the store; return 0 if it is chosen."""
    asked = _asked()
    settings = refusal.settings(2)
    store = model_store(settings)
    try:
        if asked.version is None:
            return _list(store)
        # First, because what changes meanwhile is somebody's choice, too.
        seen = store.note()
        _check(store, asked.version, seen, asked.allow_schema_change)
        store.replace_current(asked.version, seen)
    except (VersionNotFound, VersionNotServable, SchemaBreaks) as error:
        refusal.refuse(f"the choice stays as it is: {error}")
    except OSError as error:
        refusal.refuse(f"the choice stays as it is: {error.strerror or error}")
    print(f"{asked.version}: chosen")
    return 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m worker.choice",
        description="Choose the model version to serve, for APIs without Redis; a worker carries "
        "the choice into the version key of a Redis.",
    )
    parser.add_argument("version", nargs="?", help="its name; list the versions if left out")
    parser.add_argument(
        "--allow-schema-change",
        action="store_true",
        help="also if requests that are answered now would be refused",
    )
    return parser.parse_args()


def _list(store: ModelStore) -> int:
    chosen = store.current()
    for manifest in store.listed():
        mark = "chosen" if manifest.model_version == chosen else manifest.gate.outcome
        print(f"{manifest.model_version}  {mark}")
    return 0


def _check(store: ModelStore, version: str, seen: Note | None, allow_schema_change: bool) -> None:
    """Raise if the version cannot be served, or would break requests that are answered now."""
    manifest = store.check(version)
    chosen = None if seen is None else seen.version
    if allow_schema_change or chosen is None:
        return
    try:
        served = store.manifest(chosen)
    except StoreUnreachable:
        raise
    except (VersionNotFound, VersionNotServable):
        # What cannot be served answers no request.
        return
    if broken := breaks(served.record_schema, manifest.record_schema):
        raise SchemaBreaks(
            f"model version {version} does not answer all that {chosen} answers: {broken}; add "
            "--allow-schema-change to choose it nevertheless"
        )


if __name__ == "__main__":
    command.run(main)
