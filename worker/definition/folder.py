"""The folder of a definition, and what its record alone says: read without scikit-learn."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import DefinitionBroken
from shared.schema.schema import Schema
from worker.definition.package import Package
from worker.definition.record import reading
from worker.definition.record.reading import Record

RECORD = "record.py"
MODEL = "model.py"


def schema_of(folder: Path) -> Schema:
    """Return what the record says, and nothing of how it is learned. Raises DefinitionBroken."""
    return record_of(opened(folder), folder).schema


def opened(folder: Path) -> Package:
    """Return the folder's modules, to be imported anew. Raises DefinitionBroken."""
    _check(folder)
    return Package(folder)


def record_of(package: Package, folder: Path) -> Record:
    """Return what record.py says. Raises DefinitionBroken."""
    module = package.module("record")
    with told_of(folder / RECORD):
        return reading.read(module)


@contextmanager
def told_of(file: Path) -> Iterator[None]:
    """Put the file in front of a sentence that does not name it."""
    try:
        yield
    except DefinitionBroken as error:
        if str(error).startswith(str(file)):
            raise
        raise DefinitionBroken(f"{file}: {error}") from error.__cause__


def _check(folder: Path) -> None:
    """Raise DefinitionBroken unless there is a folder with the two files."""
    wanted = f"expected a folder with {RECORD} and {MODEL}"
    try:
        there = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        raise DefinitionBroken(
            f"LIFEBOAT_MODEL: {wanted}, but there is nothing at {folder}; correct the path"
        ) from None
    except NotADirectoryError:
        raise DefinitionBroken(
            f"LIFEBOAT_MODEL: {wanted}, found a file at {folder}; name the folder that it is in"
        ) from None
    except OSError as error:
        raise DefinitionBroken(
            f"LIFEBOAT_MODEL: {wanted}, but {folder} cannot be read: {error.strerror or error}; "
            "give the user of the worker the right to"
        ) from error
    for name in (RECORD, MODEL):
        if not (folder / name).is_file():
            found = ", ".join(sorted(there)[:8]) or "nothing"
            raise DefinitionBroken(
                f"LIFEBOAT_MODEL: {wanted}, but {folder} has no {name}, only {found}; add the "
                "file, or correct the path"
            )
