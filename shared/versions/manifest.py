"""The manifest of a model version: what is known of it, in `manifest.json` beside its files."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.schema.features import Feature
from shared.schema.schema import UNKNOWN_TARGET, Kind, Schema

ONNX_FILE = "model.onnx"
PIPELINE_FILE = "model.joblib"
MANIFEST_FILE = "manifest.json"

FORMAT = 1
"""The newest format of a manifest that this release reads."""

VERSION_PATTERN = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
"""A version's name, e.g. 20261123-201455-7f3a9c: the UTC time of creation and a random part."""


class Plot(StrEnum):
    """A picture of how a version did on rows that it had not seen."""

    ROC = "roc"
    PRECISION_RECALL = "precision-recall"
    CALIBRATION = "calibration"
    CONFUSION_MATRIX = "confusion-matrix"
    PREDICTION_ERROR = "prediction-error"
    RESIDUALS = "residuals"
    PERMUTATION_IMPORTANCE = "permutation-importance"

    @property
    def file(self) -> str:
        """Return the plot's file name."""
        return f"plot-{self}.svg"


def _is_none(value: object) -> bool:
    return value is None


class _Record(BaseModel):
    # A later release may write fields that this one does not know.
    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True)


class FileDigest(_Record):
    sha256: str
    size: int
    """Bytes."""


class Score(_Record):
    """One metric over the folds of a cross-validation."""

    mean: float
    std: float
    """Sample standard deviation over the folds."""
    folds: int


Metrics = dict[str, Score]
"""Name of a metric -> its score; a name that scikit-learn writes with `neg_` stands without it."""


class Gate(_Record):
    """The decision of the promotion gate about a candidate, and its reason."""

    outcome: Literal["promoted", "rejected"]
    reason: str
    compared_with: str | None
    """The model version that was served at that time."""


class Parity(_Record):
    """The proof that the ONNX model answers like the scikit-learn pipeline."""

    rows: int
    max_difference: float
    """Largest difference of a probability; of a regression, of a number over `scale`."""
    labels_differ: int
    """Rows whose label differs; the two best labels of each are within the tolerance."""
    tolerance: float
    scale: float | None = Field(None, exclude_if=_is_none)
    """Of a regression: the spread of the target, or the number itself where that is larger."""


class TrainingData(_Record):
    source: str
    sha256: str
    rows: int
    positives: int | None = Field(None, exclude_if=_is_none)
    """Of two labels: rows with the positive one."""
    labels: dict[str, int] | None = Field(None, exclude_if=_is_none)
    """Of three labels or more: the rows of each, by its name."""
    quantiles: list[float] | None = Field(None, exclude_if=_is_none)
    """Of a regression: the target's deciles, from the smallest number to the largest."""


class Manifest(_Record):
    """What is known of a version. Parsing what is no manifest raises pydantic.ValidationError."""

    format: int = FORMAT
    model_version: str
    job_id: str
    created_at: datetime
    files: dict[str, FileDigest]
    record_schema: Schema = Field(alias="schema")
    inputs: tuple[Feature, ...] = ()
    """The features of the schema, where earlier releases have them."""
    metrics: Metrics
    metric: str = "roc_auc"
    """The name of the metric that the gate compares."""
    higher_is_better: bool = True
    gate: Gate
    parity: Parity
    data: TrainingData
    libraries: dict[str, str]
    stage_seconds: dict[str, float]

    @field_validator("format")
    @classmethod
    def _check_format(cls, found: int) -> int:
        if found > FORMAT:
            raise ValueError(
                f"its manifest has the format {found}, which a later release wrote; this one reads "
                f"up to {FORMAT}. Run the later release, or choose another version"
            )
        return found

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, found: Any) -> Any:
        """Give a manifest of an earlier release its schema, and every manifest its inputs."""
        if not isinstance(found, dict):
            return found
        if "schema" not in found:
            return found | {"schema": _EARLIER | {"features": found.get("inputs", ())}}
        schema = found["schema"]
        features = schema.features if isinstance(schema, Schema) else schema.get("features", ())
        return {"inputs": features} | found

    @model_validator(mode="after")
    def _check_inputs(self) -> Self:
        if self.inputs != self.record_schema.features:
            raise ValueError("expected as inputs the features of its schema, got others")
        return self

    @property
    def plots(self) -> list[Plot]:
        """Return the plots that the version has; none if it was published before there were any."""
        return [plot for plot in Plot if plot.file in self.files]


_EARLIER = {
    **{"record": "Record", "target": UNKNOWN_TARGET, "kind": Kind.BINARY},
    **{"classes": (0, 1), "positive": 1},
}
"""The schema of versions that were published before there were schemas, but for its features."""
