"""How the commands of `local/` refuse: one sentence on stderr, and no traceback."""

import sys
from typing import NoReturn

from pydantic import ValidationError

from shared.settings import Settings


def refuse(sentence: str, status: int = 1) -> NoReturn:
    print(f"lifeboat: {sentence}", file=sys.stderr)
    sys.exit(status)


def settings(status: int = 1) -> Settings:
    """The settings, or a refusal that names the one that makes no sense."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        # What is wrong with two of them together has no place, and names them itself.
        where = "".join(f"LIFEBOAT_{str(name).upper()}: " for name in first["loc"][:1])
        refuse(where + first["msg"].removeprefix("Value error, "), status)
