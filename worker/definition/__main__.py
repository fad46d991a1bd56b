"""Says what the record of a folder is, as JSON: `python -m worker.definition FOLDER`.

The worker's main process asks so, because the code of a definition does not belong into it.
"""

import logging
import os
import sys
from pathlib import Path

from shared.errors import DefinitionBroken
from worker.definition.folder import schema_of

_NICENESS = 10


def main(folder: Path) -> int:
    """Print the schema, or the sentence that says why there is none; return 0 if there is one."""
    # A broken definition is told by its sentence; a run's log has the traceback.
    logging.disable(logging.CRITICAL)
    os.nice(_NICENESS)
    try:
        print(schema_of(folder).model_dump_json())
    except DefinitionBroken as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(main(Path(sys.argv[1])))
