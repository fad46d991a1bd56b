"""The Lua scripts of a room, read from its folder `scripts/`."""

from pathlib import Path


def sources(module: str) -> dict[str, str]:
    """Return the scripts in `scripts/` beside a module, given by its `__file__`, by their names.

    Call it at import: a process that runs on while its checkout is replaced never mixes two
    releases.
    """
    folder = Path(module).parent / "scripts"
    return {path.stem: path.read_text() for path in folder.glob("*.lua")}
