"""Signs the model versions that were on the volume before there was a key: `make sign`.

It vouches for what is there now, so run it while nobody but you can have written to the volume.
"""

import sys

from shared.errors import VersionNotFound, VersionNotServable
from shared.settings import Settings
from shared.versions.storage.local import LocalStorage
from shared.versions.store import ModelStore


def main() -> int:
    """Says what became of each version; the exit status: 0 if all of them are signed now."""
    settings = Settings()
    if settings.signing_key is None:
        print("there is nothing to sign with: set LIFEBOAT_SIGNING_KEY", file=sys.stderr)
        return 2
    store = ModelStore(LocalStorage(settings.models_dir), settings.signing_key)
    refused = False
    for version in store.versions():
        try:
            print(f"{version}: {'signed' if store.sign(version) else 'was signed already'}")
        except (VersionNotFound, VersionNotServable) as error:
            refused = True
            print(f"{version}: refused: {error}", file=sys.stderr)
        except OSError as error:
            refused = True
            print(f"{version}: not signed: {error.strerror}", file=sys.stderr)
    return int(refused)


if __name__ == "__main__":
    sys.exit(main())
