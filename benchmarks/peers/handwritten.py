"""The endpoint that anybody would write first: FastAPI, a Pydantic model, pandas, scikit-learn.

One pass of scikit-learn per request: calling `predict` as well as `predict_proba`, as many do,
would nearly halve what it serves. A plain `def`, so that FastAPI keeps it off the event loop.
"""

import os
from typing import Any, Literal

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel


class Passenger(BaseModel):
    Age: float | None = None
    Sex: Literal["male", "female"]
    Embarked: Literal["C", "Q", "S"] | None = None
    Pclass: int | None = None
    SibSp: int | None = None
    Parch: int | None = None
    Fare: float | None = None


class Predictions(BaseModel):
    predictions: list[int]
    probabilities: list[float]


def create_app() -> FastAPI:
    app = FastAPI()
    pipeline: Any = joblib.load(os.environ["MODEL"])

    @app.post("/predict")
    def predict(passengers: list[Passenger]) -> Predictions:
        frame = pd.DataFrame([passenger.model_dump() for passenger in passengers])
        probabilities = pipeline.predict_proba(frame)
        return Predictions(
            predictions=pipeline.classes_[probabilities.argmax(axis=1)].tolist(),
            probabilities=probabilities[:, 1].tolist(),
        )

    return app
