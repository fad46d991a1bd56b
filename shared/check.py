"""Says everything that is wrong in the settings, and starts nothing: `python -m shared.check`."""

import os
import re
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from shared import command, environment
from shared.environment import PREFIX, UnreadableFile
from shared.refusal import explanations, oddities
from shared.settings import Settings


class _Given(Settings):
    """Settings from what they are given, and from nothing else."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_: Any,
        **__: Any,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def main(further: Callable[[], list[str]] = list, sound: str = "The settings are sound.") -> int:
    """Print a sentence for each wrong setting and each odd variable; return 0 if none is wrong.

    `further` returns a sentence for each thing that is wrong beside the settings.
    """
    try:
        odd, sentences = oddities(), wrong() + further()
    except UnreadableFile as error:
        odd, sentences = [], [str(error)]
    for sentence in odd:
        print(f"odd: {sentence}")
    for sentence in sentences:
        print(f"wrong: {sentence}")
    if not sentences:
        print(sound)
    return int(bool(sentences))


def wrong() -> list[str]:
    """Return a sentence for each setting that keeps a process from starting, or a run from it.

    `Settings` reads key files only when all values are sound, and stops at the first that is not.
    Hence this asks again without what is wrong already. Raises UnreadableFile.
    """
    given = environment.read(environment.FILE).values
    values = {n.lower(): v for n, v in given.items() if n.lower() in Settings.model_fields}
    sentences: list[str] = []
    while True:
        try:
            # Not model_validate, which reads the key files twice and finds each key there already.
            settings = _Given(**values)  # type: ignore[arg-type]
            settings.redis_server()
            return sentences + _missing(settings)
        except (ValidationError, UnreadableFile) as error:
            found = explanations(error)
        sentences += found
        heads = " ".join(sentence.partition(": ")[0] for sentence in found)
        named = {name.lower() for name in re.findall(rf"{PREFIX}(\w+)", heads)} & values.keys()
        if not named:
            return sentences
        values = {name: value for name, value in values.items() if name not in named}


def _missing(settings: Settings) -> list[str]:
    """Return a sentence for what would be missed only later."""
    found = []
    table = settings.training_data
    if table and "://" not in table and not os.access(table, os.R_OK):
        found.append(f"LIFEBOAT_TRAINING_DATA: expected a file to read, found none: {table}")
    return found


if __name__ == "__main__":
    command.run(main)
