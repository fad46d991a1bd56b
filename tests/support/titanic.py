"""The schema of the Titanic, and what is made of it, for tests of what serves a schema."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from api.app import create_app
from api.openapi import OpenApi
from api.serving.refusals import Refusals
from api.serving.served_model import Describe, ServedModel, compiled
from api.serving.tensors.reader import Reader
from shared.schema.columns import columns_of
from shared.schema.decoder import Decoder
from shared.schema.features import Feature
from shared.schema.json_schema import record_class
from shared.schema.schema import Schema
from shared.settings import Settings
from shared.versions.onnx_model import OnnxModel
from worker.definition.definition import read

EXAMPLES_FOLDER = Path(__file__).parents[2] / "examples"

SCHEMA = read(EXAMPLES_FOLDER / "titanic").schema
FEATURES = SCHEMA.features
EXAMPLES: list[dict[str, Any]] = list(SCHEMA.examples)
Passenger: Any = record_class(SCHEMA)
"""A record, as Pydantic checks it."""

DECODER = Decoder(FEATURES)
decode, to_records = DECODER.decode, DECODER.to_records
to_columns = columns_of(FEATURES)
REFUSALS = Refusals(SCHEMA, DECODER)
explain = REFUSALS.explain
READERS = {feature.name: Reader(feature) for feature in FEATURES}


def schema_of(features: Sequence[Feature]) -> Schema:
    """Return a schema of other features; the rest is the Titanic's."""
    return SCHEMA.model_copy(update={"features": tuple(features), "examples": ()})


def served_model(
    version: str,
    model: OnnxModel,
    schema: Schema = SCHEMA,
    describe: Describe = lambda _: b"{}",
) -> ServedModel:
    """Return a model as the watcher makes it; without a document unless told how."""
    return compiled(version, schema, model, describe)


def openapi() -> dict[str, Any]:
    """Return the document of an API that serves the Titanic."""
    app: Any = create_app(Settings(_env_file=None))
    found: dict[str, Any] = json.loads(OpenApi(app._api).of(SCHEMA))
    return found
