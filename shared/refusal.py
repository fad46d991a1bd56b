"""How the commands of `local/` and `cli/` refuse: one sentence on stderr, and no traceback."""

import sys
from typing import NoReturn

from pydantic import ValidationError

from shared.settings import Settings, explanations


def refuse(sentence: str, status: int = 1) -> NoReturn:
    """End the process with a sentence that says what is wrong and what to do."""
    print(f"lifeboat: {sentence}", file=sys.stderr)
    sys.exit(status)


def settings(status: int = 1) -> Settings:
    """Return the settings; if one is wrong, say which and end the process."""
    try:
        return Settings()
    except ValidationError as error:
        refuse(explanations(error)[0], status)
