"""The model that this process serves."""

from dataclasses import dataclass

from shared.errors import NoModelYet
from shared.versions.onnx_model import OnnxModel


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A loaded model and its name in one object, so that no answer can mix two versions."""

    version: str
    model: OnnxModel


class ServedModelHolder:
    """The one place that says what this process serves; set by the watcher, read by requests."""

    def __init__(self) -> None:
        self.current: ServedModel | None = None

    @property
    def version(self) -> str | None:
        served = self.current
        return None if served is None else served.version


def served_model(holder: ServedModelHolder) -> ServedModel:
    """Raises NoModelYet."""
    served = holder.current
    if served is None:
        raise NoModelYet(
            "there is no model to predict with yet. The first one is trained when the worker "
            "starts; GET /jobs shows how far it is, PUT /run-pipeline starts a run"
        )
    return served
