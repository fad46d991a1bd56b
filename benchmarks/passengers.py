"""The passengers that every server is asked about, in each shape in which one takes them.

They are those of the training table of whom all seven fields are known, over again until there are
enough: tensors cannot say 'missing', and no server shall have it easier than another.
"""

import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks import tensors
from tests.support.titanic import FEATURES
from tests.support.versions import TRAINING_DATA

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Body:
    content: bytes
    headers: dict[str, str]


def table(rows: int) -> pd.DataFrame:
    known = pd.read_csv(TRAINING_DATA)[[feature.name for feature in FEATURES]].dropna()
    return known.take(np.arange(rows) % len(known)).reset_index(drop=True)


def as_list(rows: int) -> Body:
    """A JSON list with an object per passenger."""
    return Body(json.dumps(table(rows).to_dict("records")).encode(), _JSON)


def as_dataframe_records(rows: int) -> Body:
    """MLflow's way to say the same."""
    return _list_in("dataframe_records", rows)


def as_object(rows: int) -> Body:
    """The list within an object, for servers that take no list."""
    return _list_in("passengers", rows)


def as_tensors(rows: int) -> Body:
    """A tensor per column, in JSON."""
    return Body(*tensors.encode(table(rows), binary=False))


def as_binary_tensors(rows: int) -> Body:
    """A tensor per column, as raw bytes behind a JSON header."""
    return Body(*tensors.encode(table(rows), binary=True))


def _list_in(field: str, rows: int) -> Body:
    return Body(json.dumps({field: table(rows).to_dict("records")}).encode(), _JSON)
