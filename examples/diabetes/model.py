"""What is fitted to the patients, and where their table comes from."""

import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def load(source: str) -> pd.DataFrame:
    """Return the table that comes with scikit-learn; `source` is LIFEBOAT_TRAINING_DATA."""
    table: pd.DataFrame = load_diabetes(as_frame=True, scaled=False).frame
    table = table.rename(columns={"target": "progression"})
    # A category is a text.
    return table.assign(sex=table["sex"].astype(int).astype(str))


def estimator() -> Pipeline:
    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    return make_pipeline(columns, RidgeCV())
