"""The bodies of answers of the Open Inference Protocol v2."""

from typing import Literal

from api.schemas.answers import Answer


class InferenceServer(Answer):
    name: str
    version: str
    extensions: list[str]


class ServerLive(Answer):
    live: Literal[True] = True


class ServerReady(Answer):
    ready: Literal[True] = True


class ModelReady(ServerReady):
    name: str


class TensorMetadata(Answer):
    name: str
    datatype: str
    shape: list[int]
    """-1 is the number of rows."""


class ModelMetadata(Answer):
    name: str
    versions: list[str]
    """The version that is served."""
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class OutputTensor(TensorMetadata):
    data: list[bool] | list[int] | list[float] | list[str] | None = None
    parameters: dict[str, int] | None = None
    """`binary_data_size`, if the data follows the JSON."""


class Inferred(Answer):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class InferenceError(Answer):
    error: str
