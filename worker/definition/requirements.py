"""requirements.txt: whether what it asks for is installed where the worker runs."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

REQUIREMENTS = "requirements.txt"

_TO_DO = (
    "install it: in containers by `docker compose up --build` (docs/operations.md, 'A model of "
    "your own'), elsewhere by `python -m pip install`"
)


def unmet(folder: Path) -> list[str]:
    """Return a sentence for each package that is not there, or is of another version.

    Options of pip's, addresses and paths are left to pip.
    """
    file = folder / REQUIREMENTS
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError:
        # There is none, or the folder is not one to read, which `folder.read` says.
        return []
    except UnicodeDecodeError:
        return [f"{file}: expected text in UTF-8, found something else; save it as UTF-8"]
    return [
        f"{file}: expected {requirement.name}{requirement.specifier} where the worker runs, found "
        f"{found}; {_TO_DO}"
        for requirement in _requirements(text)
        if (found := _found_instead(requirement))
    ]


def _requirements(text: str) -> Iterator[Requirement]:
    for line in text.replace("\\\n", " ").splitlines():
        # A comment, and options such as --hash.
        plain = re.split(r"(?:^|\s)(?:#|--)", line)[0].strip()
        try:
            requirement = Requirement(plain)
        except InvalidRequirement:
            continue
        if requirement.url is None and (
            requirement.marker is None or requirement.marker.evaluate()
        ):
            yield requirement


def _found_instead(requirement: Requirement) -> str:
    """Return what there is in the place of a package; empty if it is there."""
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return "none"
    if requirement.specifier.contains(version, prereleases=True):
        return ""
    return version
