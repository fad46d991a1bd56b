"""The OpenAPI document: what FastAPI knows of the routes, and the served version of its records."""

import copy
import threading
from typing import Any

import orjson
from fastapi import FastAPI

from api.v2.documented import request_schema
from shared.schema.json_schema import json_schema
from shared.schema.schema import Kind, Schema

_NUMBERS = {"type": "array", "items": {"type": "number"}}


class OpenApi:
    """Writes the document for a schema; that of the routes is made once, in a tenth of a second."""

    def __init__(self, api: FastAPI) -> None:
        self._api = api
        self._making = threading.Lock()

    def routes(self) -> bytes:
        """Return the document without the fields of a record, as long as there is no model."""
        return orjson.dumps(self._of_routes())

    def of(self, schema: Schema) -> bytes:
        """Return the document of a version's schema."""
        document = copy.deepcopy(self._of_routes())
        paths = document["paths"]
        predict = paths["/predict"]["post"]
        # Whole and in place: a reference would point to a place where OpenAPI has no schemas.
        predict["requestBody"]["content"]["application/json"] = {
            "schema": {"type": "array", "items": json_schema(schema)},
            "example": list(schema.examples),
        }
        # The name of what is predicted, for clients that show it to people.
        predict |= {"x-label": schema.target, "x-kind": schema.kind, "x-classes": schema.classes}
        if schema.kind is Kind.BINARY:
            predict["x-positive"] = schema.positive
        answer = document["components"]["schemas"]["Predictions"]
        answer["properties"] |= _answer(schema)
        answer["required"] = [*_answer(schema), "model_version"]
        for name in answer["properties"].keys() - {*answer["required"]}:
            del answer["properties"][name]
        if not schema.is_plain_binary:
            answer.pop("example", None)
        for path, methods in paths.items():
            if path.startswith("/v2/") and path.endswith("/infer"):
                content = methods["post"]["requestBody"]["content"]
                content["application/json"] = request_schema(schema)
        return orjson.dumps(document)

    def _of_routes(self) -> dict[str, Any]:
        # FastAPI keeps what it has made, and makes it twice if two threads ask at once.
        with self._making:
            return self._api.openapi()


def _answer(schema: Schema) -> dict[str, Any]:
    """Return the properties of an answer that depend on the kind of model."""
    if schema.kind is Kind.REGRESSION:
        return {"predictions": _NUMBERS | {"description": f"{schema.target} of each record."}}
    labels = {"enum": list(schema.classes)}
    described = "The more probable label of each record."
    if schema.kind is Kind.BINARY:
        probabilities = _NUMBERS | {
            "description": f"Probability of label {schema.positive}, 0 to 1."
        }
    else:
        described = "The most probable label of each record."
        probabilities = {
            "type": "array",
            "items": _NUMBERS,
            "description": "For each record the probability of each class, in their order.",
        }
    found: dict[str, Any] = {
        "predictions": {"type": "array", "items": labels, "description": described},
        "probabilities": probabilities,
    }
    if not schema.is_plain_binary:
        found["classes"] = {
            "type": "array",
            "items": labels,
            "description": "Every label, in the order of the probabilities.",
        }
    return found
