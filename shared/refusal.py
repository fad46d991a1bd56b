"""How the commands of `local/` refuse: one sentence on stderr, and no traceback."""

import sys
from typing import NoReturn

from pydantic import ValidationError

from shared.settings import Settings, explanations


def refuse(sentence: str, status: int = 1) -> NoReturn:
    print(f"lifeboat: {sentence}", file=sys.stderr)
    sys.exit(status)


def settings(status: int = 1) -> Settings:
    """The settings, or a refusal that names the one that makes no sense."""
    try:
        return Settings()
    except ValidationError as error:
        refuse(explanations(error)[0], status)
