"""The pipeline as a BentoML service: `bentoml serve benchmarks.peers.bentoml_service:Titanic`."""

import os
from typing import Any

import bentoml
import joblib
import pandas as pd
from pydantic import BaseModel


class Predictions(BaseModel):
    predictions: list[int]
    probabilities: list[float]


@bentoml.service(workers=1, logging={"access": {"enabled": False}})
class Titanic:
    def __init__(self) -> None:
        self.pipeline: Any = joblib.load(os.environ["MODEL"])

    @bentoml.api
    def predict(self, passengers: pd.DataFrame, /) -> Predictions:
        probabilities = self.pipeline.predict_proba(passengers)
        return Predictions(
            predictions=self.pipeline.classes_[probabilities.argmax(axis=1)].tolist(),
            probabilities=probabilities[:, 1].tolist(),
        )
