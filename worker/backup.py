"""Writes a backup of the model versions, and of which one is served: `make backup`.

`python -m worker.backup > file` writes it to standard output while everything runs.
"""

import sys

from shared import refusal
from shared.errors import VersionNotFound, VersionNotServable
from shared.resources import model_store, storage
from worker import archive


def main() -> int:
    """Write the backup and say what is damaged and left out; return 0 if the choice is in it."""
    if sys.stdout.isatty():
        refusal.refuse("a backup is not for a terminal; add `> file`", 2)
    settings = refusal.settings(2)
    store = model_store(settings)
    try:
        for sentence in archive.write(sys.stdout.buffer, storage(settings), store):
            print(f"left out: {sentence}", file=sys.stderr)
        sys.stdout.buffer.flush()
    except (VersionNotFound, VersionNotServable, OSError) as error:
        print(f"no backup: {error}", file=sys.stderr)
        return 1
    print(f"backed up; {store.current() or 'no version'} is chosen", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
