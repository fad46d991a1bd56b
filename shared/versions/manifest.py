"""The manifest of a model version: what is known of it, in `manifest.json` beside its files."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.schema.features import FEATURES, Feature

ONNX_FILE = "model.onnx"
PIPELINE_FILE = "model.joblib"
MANIFEST_FILE = "manifest.json"

VERSION_PATTERN = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
"""A version's name, e.g. 20261123-201455-7f3a9c: the UTC time of creation and a random part."""


class Plot(StrEnum):
    """A picture of how a version did on rows that it had not seen."""

    ROC = "roc"
    PRECISION_RECALL = "precision-recall"
    CALIBRATION = "calibration"
    CONFUSION_MATRIX = "confusion-matrix"
    PERMUTATION_IMPORTANCE = "permutation-importance"

    @property
    def file(self) -> str:
        """Return the plot's file name."""
        return f"plot-{self}.svg"


class _Record(BaseModel):
    # A field whose name is damaged must be an error, not a field less.
    model_config = ConfigDict(frozen=True, extra="forbid")


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


class Metrics(_Record):
    roc_auc: Score
    accuracy: Score
    log_loss: Score
    brier_score: Score


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
    """Largest difference of a probability."""
    labels_differ: int
    """Rows whose label differs; the probability of each is within the tolerance of one half."""
    tolerance: float


class TrainingData(_Record):
    source: str
    sha256: str
    rows: int
    positives: int
    """Rows with label 1."""


class Manifest(_Record):
    """What is known of a version. Parsing another format raises pydantic.ValidationError."""

    format: Literal[1] = 1
    model_version: str
    job_id: str
    created_at: datetime
    files: dict[str, FileDigest]
    inputs: tuple[Feature, ...] = FEATURES
    metrics: Metrics
    gate: Gate
    parity: Parity
    data: TrainingData
    libraries: dict[str, str]
    stage_seconds: dict[str, float]

    @property
    def plots(self) -> list[Plot]:
        """Return the plots that the version has; none if it was published before there were any."""
        return [plot for plot in Plot if plot.file in self.files]

    @property
    def fits_this_schema(self) -> bool:
        """Return whether the version takes exactly the features of this release's records."""
        return self.inputs == FEATURES
