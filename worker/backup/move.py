"""Carries model versions from one store to another, while both serve: `make move-models`.

`python -m worker.backup.move FROM TO`: each a folder or the URL of a bucket. A second call carries
what was published meanwhile, and the choice once more.
"""

import argparse
import sys
from pathlib import Path

from shared import bucket, command, refusal
from shared.errors import VersionNotFound, VersionNotServable
from shared.resources import storage
from shared.settings import Settings
from shared.versions import current, names
from shared.versions.manifest import MANIFEST_FILE
from shared.versions.storage.base import KeyExists, Storage
from shared.versions.store import ModelStore
from worker.backup import archive


def main() -> int:
    """Carry all sound versions and then the choice; return 0 if that was all of them."""
    parser = argparse.ArgumentParser(prog="python -m worker.backup.move", description=__doc__)
    parser.add_argument("origin", metavar="FROM", help="a folder, or s3://, gs://, az://")
    parser.add_argument("target", metavar="TO", help="a folder, or s3://, gs://, az://")
    asked = parser.parse_args()
    settings = refusal.settings(2)
    origin, target = _at(settings, asked.origin), _at(settings, asked.target)
    if origin.models_place == target.models_place:
        refusal.refuse("FROM and TO are the same place", 2)
    try:
        return _move(origin, target)
    except (VersionNotFound, VersionNotServable) as error:
        refusal.refuse(f"the choice was not moved: {error}")
    except OSError as error:
        refusal.refuse(f"not all was moved: {error.strerror or error}; call it again")


def _at(settings: Settings, place: str) -> Settings:
    """Return the settings with the models at another place."""
    if bucket.is_url(place):
        try:
            bucket.parse(place)
        except ValueError as error:
            refusal.refuse(str(error), 2)
        return settings.model_copy(update={"models": place})
    return settings.model_copy(update={"models": None, "models_dir": Path(place)})


def _move(origin: Settings, target: Settings) -> int:
    read, write = storage(origin), storage(target)
    keys = origin.signing_key, origin.old_signing_keys
    here, there = ModelStore(read, *keys), ModelStore(write, *keys)
    # Raises if it is not there, before anything is made at the target.
    found = names.published(read.list_keys())
    there.create()
    # Before the versions: whatever is chosen meanwhile, the one that is carried is there.
    chosen = here.note()
    is_whole = True
    # Oldest first, so that a process without a choice does not begin with what is old.
    for version in sorted(found):
        try:
            # Asked for by its keys, which raises if nobody knows: what is there is not replaced.
            if f"{version}/{MANIFEST_FILE}" in write.list_keys(version):
                there.check(version)
                print(f"{version}: is there already")
                continue
            whole = archive.sound(version, read, here)
            archive.restore(whole, write)
            there.check(version)
            print(f"{version}: moved")
            for file in whole.damaged:
                print(f"left out: {file} of {version} is damaged", file=sys.stderr)
                is_whole = False
        except KeyExists:
            print(f"{version}: is being written by somebody else", file=sys.stderr)
            is_whole = False
        except (VersionNotFound, VersionNotServable) as error:
            print(f"left out: {error}", file=sys.stderr)
            is_whole = False
    if chosen is None or chosen.version is None:
        print("nothing is chosen there, so nothing is chosen here")
        return int(not is_whole)
    return _choose(chosen, there, write) or int(not is_whole)


def _choose(chosen: current.Note, there: ModelStore, storage_there: Storage) -> int:
    """Note the choice, unless the target has one that is as new or newer."""
    assert chosen.version is not None
    seen = there.note()
    if seen is not None and seen.version == chosen.version:
        print(f"{chosen.version}: is chosen already")
        return 0
    if seen is not None and seen.generation >= chosen.generation:
        print(
            f"{seen.version}: stays chosen, because its note is as new as the one of "
            f"{chosen.version}",
            file=sys.stderr,
        )
        return 1
    there.check(chosen.version)
    # With the number that it has there, so that the next choice there is the newer one here, too.
    current.replace(storage_there, chosen.version, seen, chosen.generation)
    print(f"{chosen.version}: chosen")
    return 0


if __name__ == "__main__":
    command.run(main)
