"""Keys in files, and the Compose file that mounts them, as `docs/operations.md` says."""

import re
import secrets
from pathlib import Path

from tests.support.documents import blocks, recipe

_PAGE = "docs/operations.md"


def snippet(word: str) -> str:
    """Return the part of a `docker-compose.override.yml` that has a word."""
    yaml = [block.text for block in blocks(_PAGE) if block.language == "yaml"]
    (found,) = (text for text in yaml if word in text)
    return found


class KeyFiles:
    """The folder `keys/` of an installation, with keys of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.api, self.signing = secrets.token_hex(32), secrets.token_hex(32)
        self.override = folder / "override.yml"
        self.override.write_text(snippet("secrets:").replace("./keys", str(folder)))
        for name, content in (
            ("api-key", f"{self.api}\n"),
            ("signing-key", f"{self.signing}\n"),
            ("signing-keys-old", ""),
        ):
            (folder / name).write_text(content)
            (folder / name).chmod(0o644)

    def present(self, name: str) -> str:
        return (self.folder / name).read_text().strip()

    def command(self, recipe_name: str, command: str) -> str:
        """Return a command of a recipe, with this folder in the place of `keys/`."""
        steps = recipe(_PAGE, recipe_name)
        assert f"`{command}`" in steps, f"{command} is not a command of the recipe: {steps}"
        return re.sub(r"\bkeys/", f"{self.folder}/", command)
