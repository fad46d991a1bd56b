"""A definition: the folder that says what is learned, from which table, and how."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from shared.errors import DefinitionBroken
from shared.schema.features import Feature
from shared.schema.schema import Schema
from worker.definition import constants, model
from worker.definition.folder import MODEL, opened, record_of, told_of

DATA = "data.csv"


@dataclass(frozen=True)
class Definition:
    """What a folder defines."""

    folder: Path
    schema: Schema
    target: Feature | None
    """Of a regression, which numbers of the target are sound; else one of the classes is."""
    metric: str | None
    """The name of a scorer of scikit-learn's; None for the usual one."""
    fit: Callable[[pd.DataFrame, NDArray[Any]], Any]
    """Fit anew, and return an estimator that is fitted. Raises DefinitionBroken."""
    load: Callable[[str], pd.DataFrame] | None
    """Return the table of a source, which may be "". Raises DefinitionBroken."""
    data: Path | None
    """The table in the folder."""

    def source(self, training_data: str | None) -> str:
        """Return where the table is: `training_data`, or in the folder; "" if `load` knows.

        Raises DefinitionBroken.
        """
        if training_data:
            return training_data
        if self.data is not None:
            return str(self.data)
        if self.load is not None:
            return ""
        raise DefinitionBroken(
            f"{self.folder}: expected a training table, found none; set LIFEBOAT_TRAINING_DATA to "
            f"its path or URL, put {DATA} into the folder, or write load(source) in {MODEL}"
        )


def read(folder: Path) -> Definition:
    """Import the two files of a folder anew, and return what they define.

    Raises DefinitionBroken: one sentence that names the file and says what to do.
    """
    package = opened(folder)
    found = record_of(package, folder)
    module = package.module("model")
    with told_of(folder / MODEL):
        how = model.read(module, package, found.schema.kind)
    data = folder / DATA
    return Definition(
        folder=folder,
        schema=found.schema,
        target=found.target,
        metric=constants.metric_of(folder, found.metric, how.metric, found.schema.kind),
        fit=how.fit,
        load=how.load,
        data=data if data.is_file() else None,
    )
