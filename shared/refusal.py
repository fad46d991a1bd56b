"""How a program refuses wrong settings: in sentences, and without a traceback.

A command of `local/` or `cli/` says them on stderr, a service logs them.
"""

import sys
from typing import NoReturn

from pydantic import ValidationError

from shared import environment
from shared.environment import UnreadableFile
from shared.runtime.log import refuse_to_start
from shared.settings import Settings


def refuse(sentence: str, status: int = 1) -> NoReturn:
    """End the process with a sentence that says what is wrong and what to do."""
    say(sentence)
    sys.exit(status)


def say(sentence: str) -> None:
    """Print a sentence on stderr, on a terminal of any encoding."""
    print(f"lifeboat: {sentence}", file=sys.stderr)


def settings(status: int = 1) -> Settings:
    """Return the settings of a command; if some are wrong, say which and end the process."""
    try:
        return Settings()
    except (ValidationError, UnreadableFile) as error:
        *others, last = explanations(error)
    for sentence in others:
        say(sentence)
    refuse(last, status)


def read_settings() -> Settings:
    """Return the settings of a service; if one is wrong, log which and end the process."""
    try:
        found = Settings()
        if not found.serves_only:
            found.redis_server()
    except (ValidationError, UnreadableFile) as error:
        refuse_to_start(*explanations(error))
    return found


def oddities() -> list[str]:
    """Return a sentence for each variable that is ignored, empty where a key belongs, or unknown.

    Raises:
        UnreadableFile: `.env` cannot be read.
    """
    found = environment.read(environment.FILE)
    return found.oddities + found.unknown(name.upper() for name in Settings.model_fields)


def explanations(error: ValidationError | UnreadableFile) -> list[str]:
    """Return a sentence for each wrong setting; it begins with the name of the variable."""
    if isinstance(error, UnreadableFile):
        return [str(error)]
    return [
        # An error about two settings together has no location; its message names them.
        "".join(f"LIFEBOAT_{str(name).upper()}: " for name in found["loc"][:1])
        + _PLAIN.get(found["type"], found["msg"].removeprefix("Value error, "))
        for found in error.errors()
    ]


_PLAIN = {
    # Pydantic speaks of its parsers.
    "int_parsing": "expected a whole number, found something else",
    "float_parsing": "expected a number, found something else",
}
"""Pydantic's type of an error -> what to say instead of Pydantic's message."""
