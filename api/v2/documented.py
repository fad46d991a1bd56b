"""An inference request of a schema, as OpenAPI describes it."""

from typing import Any

from api.v2.messages import example, inputs, outputs
from shared.schema.schema import Schema


def request_schema(schema: Schema) -> dict[str, Any]:
    """Return the media type object of the JSON of a request."""
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": {"enum": [tensor["name"] for tensor in inputs(schema)]},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"type": "string"},
            "parameters": {"type": ["object", "null"]},
            "data": {"type": ["array", "null"], "items": {"type": ["number", "string", "null"]}},
        },
    }
    output = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"enum": [tensor["name"] for tensor in outputs(schema)]},
            "parameters": {"type": ["object", "null"]},
        },
    }
    return {
        "schema": {
            "type": "object",
            "required": ["inputs"],
            "properties": {
                "id": {"type": ["string", "null"]},
                "parameters": {"type": ["object", "null"]},
                "inputs": {"type": "array", "items": tensor},
                "outputs": {"type": ["array", "null"], "items": output},
            },
        },
        "example": example(schema),
    }
