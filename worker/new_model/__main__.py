"""Writes a definition to begin with: `make new-model NAME=<folder> TABLE=<file>`."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from shared import refusal
from shared.errors import TrainingFailed
from worker.definition.definition import read
from worker.definition.folder import MODEL, RECORD
from worker.new_model import columns
from worker.new_model.proposal import propose


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a new folder, and say what to do next; without a table, name or right, say why not."""
    parser = argparse.ArgumentParser(prog="make new-model", description=__doc__)
    parser.add_argument("folder", help="the folder to write, which must not exist")
    parser.add_argument("table", help="a CSV or Parquet file, at a path or an http(s) URL")
    parser.add_argument(
        "target", nargs="?", help="the column that is learned; guessed if not given"
    )
    asked = parser.parse_args(arguments)
    if not asked.folder or not asked.table:
        refusal.refuse(
            "expected a folder and a table; write make new-model NAME=<folder> TABLE=<file>", 2
        )
    folder = Path(asked.folder)
    if folder.exists() or folder.is_symlink():
        refusal.refuse(
            f"{folder} is there already, and nothing is overwritten; choose another NAME"
        )
    try:
        made = propose(columns.read(asked.table), _class_name(folder.name), asked.target or None)
        folder.mkdir(parents=True)
        (folder / RECORD).write_text(made.record, encoding="utf-8")
        (folder / MODEL).write_text(made.model, encoding="utf-8")
        read(folder)
    except TrainingFailed as error:
        refusal.refuse(str(error))
    except OSError as error:
        refusal.refuse(f"{folder} cannot be written: {error.strerror or error}")
    print(f"{folder / RECORD}: {made.target} is learned. Read it, and correct what is not so.")
    for name, why in made.left_out.items():
        print(f"  {name} is left out: {why}")
    print(f"{folder / MODEL}: what is fitted.")
    settings = f"LIFEBOAT_MODEL={folder} LIFEBOAT_TRAINING_DATA={asked.table}"
    print(f"To train and serve it: {settings} make run")


def _class_name(name: str) -> str:
    """Return a folder's name as that of a class."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    made = "".join(word[0].upper() + word[1:] for word in words)[:100]
    taken = ("", "Annotated", "Literal", "Field", "BaseModel", "TypedDict", "NotRequired")
    return "Row" if made in taken or made[0].isdigit() else made


if __name__ == "__main__":
    main()
