"""Says everything that is wrong in the settings and in the definition: `python -m worker.check`.

It reads the folder as a run does, and trains nothing. The API's image has no worker, and reads no
definition: `python -m shared.check` is for its settings alone.
"""

import logging

from pydantic import ValidationError

from shared import check, command
from shared.errors import DefinitionBroken
from shared.settings import Settings
from worker.definition import definition, requirements


def main() -> int:
    """Print a sentence for all that is wrong; return 0 if nothing is."""
    # A broken definition is told by its sentence; a run's log has the traceback.
    logging.disable(logging.CRITICAL)
    return check.main(_wrong, "The settings and the definition are sound.")


def _wrong() -> list[str]:
    """Return a sentence for each thing that keeps a run from reading the definition.

    There is none if the settings do not say where it is. Raises UnreadableFile.
    """
    try:
        settings = Settings()
    except ValidationError:
        return []
    # The packages first, because a file that imports one that is not there cannot be read.
    sentences = requirements.unmet(settings.model)
    try:
        definition.read(settings.model).source(settings.training_data)
    except DefinitionBroken as error:
        sentences.append(str(error))
    return sentences


if __name__ == "__main__":
    command.run(main)
