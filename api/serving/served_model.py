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
