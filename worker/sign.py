"""Signs the model versions that were published before there was a key: `make sign`.

A signature vouches for what is on the volume now, so sign only if nobody else can have written to
the volume.
"""

import sys

from shared import command, refusal
from shared.errors import VersionNotFound, VersionNotServable
from shared.resources import model_store


def main() -> int:
    """Sign all versions and print a line for each; return 0 if all of them are signed now."""
    settings = refusal.settings(2)
    for sentence in refusal.oddities():
        refusal.say(sentence)
    if settings.signing_key is None:
        refusal.say("no key to sign with; set LIFEBOAT_SIGNING_KEY")
        return 2
    store = model_store(settings)
    refused = False
    for version in store.versions():
        try:
            print(f"{version}: {'signed' if store.sign(version) else 'was signed already'}")
        except (VersionNotFound, VersionNotServable) as error:
            refused = True
            print(f"{version}: refused: {error}", file=sys.stderr)
        except OSError as error:
            refused = True
            print(f"{version}: not signed: {error.strerror or error}", file=sys.stderr)
    return int(refused)


if __name__ == "__main__":
    command.run(main)
