"""The model that this process serves, with all that is made of its schema."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from api.serving.refusals import Refusals
from api.serving.tensors.reader import Reader
from api.serving.tensors.small import SmallRequests
from api.telemetry import metrics
from api.telemetry.counting import Tally
from shared.errors import NoModelYet, VersionNotServable
from shared.schema.columns import Columns, Records, columns_of
from shared.schema.decoder import Decoder
from shared.schema.schema import Kind, Schema
from shared.versions.onnx_model import OnnxModel


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A loaded version in one object, so that no answer mixes two versions or two schemas."""

    version: str
    model: OnnxModel
    schema: Schema
    decoder: Decoder
    to_columns: Callable[[Records], Columns]
    """Checked records -> their columns."""
    refusals: Refusals
    readers: Mapping[str, Reader]
    """The readers of tensors, by the name of their feature."""
    small_requests: SmallRequests
    openapi: bytes
    """The document of `/openapi.json`."""
    tally: Tally
    """Where its answers are counted."""
    answered_always: Mapping[str, Any]
    """What stands in every answer to records, behind the predictions."""


Describe = Callable[[Schema], bytes]
"""Returns the OpenAPI document for a schema."""


def compiled(
    version: str,
    schema: Schema,
    model: OnnxModel,
    describe: Describe,
    quantiles: Sequence[float] | None = None,
    before: ServedModel | None = None,
) -> ServedModel:
    """Make of a version what requests need. Takes a tenth of a second, so not on the event loop.

    `quantiles` are those of the target of a regression, in its training table. What was made for
    the model that is served `before` is taken over if the schema is the same, as it mostly is.

    Raises:
        VersionNotServable: No requests can be read by its schema.
    """
    try:
        answered_always = {**_classes(schema), "model_version": version}
        if before is not None and _is_same(before.schema, schema):
            return replace(
                before,
                version=version,
                model=model,
                tally=metrics.PREDICTED.tally(schema, quantiles),
                answered_always=answered_always,
            )
        decoder = Decoder(schema.features)
        readers = {feature.name: Reader(feature) for feature in schema.features}
        return ServedModel(
            version,
            model,
            schema,
            decoder,
            columns_of(schema.features),
            Refusals(schema, decoder),
            readers,
            SmallRequests(readers),
            describe(schema),
            metrics.PREDICTED.tally(schema, quantiles),
            answered_always,
        )
    # Whatever msgspec, Pydantic and FastAPI say: the thread that loads versions must go on.
    except Exception as error:
        raise VersionNotServable(
            f"model version {version}: no requests can be read by its schema: "
            f"{type(error).__name__}: {error}"
        ) from error


def _is_same(one: Schema, other: Schema) -> bool:
    # As they are written: in Python the labels false and true equal 0 and 1.
    return one.model_dump_json() == other.model_dump_json()


def _classes(schema: Schema) -> dict[str, Any]:
    is_listed = schema.kind is not Kind.REGRESSION and not schema.is_plain_binary
    return {"classes": schema.classes} if is_listed else {}


class ServedModelHolder:
    """Holds the model that this process serves; set by the watcher, read by requests."""

    def __init__(self) -> None:
        self.current: ServedModel | None = None

    @property
    def version(self) -> str | None:
        served = self.current
        return None if served is None else served.version


def served_model(holder: ServedModelHolder) -> ServedModel:
    """Return the model that is served.

    Raises:
        NoModelYet: The process serves no model yet.
    """
    served = holder.current
    if served is None:
        raise NoModelYet(
            "this process serves no model yet. The worker trains the first model when it starts; "
            "GET /jobs shows how far the run is, and PUT /run-pipeline starts a run"
        )
    return served
