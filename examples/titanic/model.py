"""The model of the Titanic: a scikit-learn pipeline, and how it is fitted."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

_NUMBERS = ["Age", "Pclass", "SibSp", "Parch", "Fare"]
_CATEGORIES = ["Sex", "Embarked"]

_BLANKED = ["Pclass", "SibSp", "Parch", "Fare"]
"""The features that clients of the original service never send."""
_COPY_WEIGHT = 0.5

_MAX_ROWS_PER_TREE = 100_000
"""Each tree sees all rows of a small table, and a random part of a large table. With all rows of a
large table a fit would take minutes, because scikit-learn's gradient boosting sorts every feature
again for every node."""


def build_pipeline(rows: int) -> Pipeline:
    """Return an unfitted pipeline for a training table of `rows` rows, copies included."""
    columns = ColumnTransformer(
        [
            (
                "numbers",
                # A constant, because the median would put every passenger without a class in third.
                SimpleImputer(strategy="constant", fill_value=-1.0, keep_empty_features=True),
                _NUMBERS,
            ),
            (
                "categories",
                OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32),
                _CATEGORIES,
            ),
        ]
    )
    # The model that is cheapest to serve within a standard error of the best, by 10-fold
    # cross-validation over ten seeds; docs/decisions/ has the runners-up and their cost.
    classifier = GradientBoostingClassifier(
        n_estimators=10,
        learning_rate=0.25,
        max_depth=5,
        min_samples_leaf=8,
        subsample=min(1.0, _MAX_ROWS_PER_TREE / rows),
        random_state=0,
    )
    return Pipeline([("columns", columns), ("classifier", classifier)])


def fit(X: pd.DataFrame, y: NDArray[np.int64]) -> Pipeline:
    """Fit on the table and on a copy of it, at half the weight, with the optional fields blanked.

    Without the copy the model is right for 0.73 of the passengers of whom only age, sex and port
    are known. With the copy it is right for 0.79 of them, and no worse for the other passengers.
    """
    blanked = X.assign(**dict.fromkeys(_BLANKED, np.float32(np.nan)))
    rows = pd.concat([X, blanked], ignore_index=True)
    pipeline = build_pipeline(len(rows))
    return pipeline.fit(
        rows,
        np.concatenate([y, y]),
        classifier__sample_weight=np.repeat([1.0, _COPY_WEIGHT], len(X)),
    )
