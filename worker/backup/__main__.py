"""Writes a backup of the model versions, and of which one is served: `make backup`.

`python -m worker.backup > file` writes it to standard output while everything runs.
"""

import sys

from shared import command, refusal
from shared.errors import VersionNotFound, VersionNotServable
from shared.resources import model_store, storage
from worker.backup import archive


def main() -> int:
    """Write the backup and say what is damaged and left out; return 0 if the choice is in it."""
    if sys.stdout is None or sys.stdout.isatty():
        refusal.refuse("expected a file or a pipe as standard output; add `> file`", 2)
    settings = refusal.settings(2)
    store = model_store(settings)
    try:
        # Not sys.stdout.buffer, which may be unbuffered: then it takes a part and raises nothing.
        with open(sys.stdout.fileno(), "wb", closefd=False) as stream:
            left_out = archive.write(stream, storage(settings), store)
    except (VersionNotFound, VersionNotServable, OSError) as error:
        print(f"no backup: {error}", file=sys.stderr)
        return 1
    for sentence in left_out:
        print(f"left out: {sentence}", file=sys.stderr)
    print(f"backed up; {store.current() or 'no version'} is chosen", file=sys.stderr)
    return 0


if __name__ == "__main__":
    command.run(main)
