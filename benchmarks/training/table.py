"""Training tables of any size, made of the 891 passengers."""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.support.titanic import FEATURES
from tests.support.versions import TRAINING_DATA

_SEED = 0


def write_table(path: Path, rows: int) -> None:
    """Passengers drawn with replacement, with noise on the age and the fare.

    Without it a million rows would hold 891 different ones, and the trees few thresholds to weigh.
    All columns are written, also those that training reads past, as in the original.
    """
    passengers = pd.read_csv(TRAINING_DATA)
    random = np.random.default_rng(_SEED)
    drawn = passengers.iloc[random.integers(len(passengers), size=rows)]
    (age,) = (feature for feature in FEATURES if feature.name == "Age")
    drawn.assign(
        Age=(drawn["Age"] + random.normal(0, 1, rows)).clip(age.minimum, age.maximum).round(2),
        Fare=(drawn["Fare"] * np.exp(random.normal(0, 0.1, rows))).round(4),
    ).to_csv(path, index=False)
