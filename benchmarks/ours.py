"""Lifeboat and the baselines as servers of a comparison."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import passengers, tensors
from benchmarks.server import Call, Read, Server
from tests.support.processes import free_port


def lifeboat(models_dir: Path, redis_url: str, *, processes: int = 1) -> Server:
    path, port = "/v2/models/lifeboat/infer", free_port()
    read = tensor("probabilities")
    return Server(
        name="lifeboat",
        port=port,
        command=[sys.executable, "-m", "api"],
        ready="/health/ready",
        calls=[
            Call("Lifeboat", "/predict", passengers.as_list, field("probabilities")),
            Call("Lifeboat, tensors", path, passengers.as_tensors, read),
            Call("Lifeboat, binary tensors", path, passengers.as_binary_tensors, read),
        ],
        environment={
            "LIFEBOAT_PORT": str(port),
            "LIFEBOAT_API_WORKERS": str(processes),
            "LIFEBOAT_MODELS_DIR": str(models_dir),
            "LIFEBOAT_REDIS_URL": redis_url,
            "ORT_DISABLE_TELEMETRY": "1",
        },
    )


def baseline(kind: str, name: str, answers: Path) -> Server:
    port = free_port()
    return Server(
        name=kind,
        port=port,
        command=[sys.executable, "-m", "benchmarks.baselines", kind, str(port), str(answers)],
        ready="/openapi.json" if kind == "fastapi" else "/1",
        calls=[Call(name, "/{rows}", passengers.as_list, None)],
    )


def field(name: str) -> Read:
    """Reads the probabilities from a field of a JSON answer."""

    def read(body: bytes, headers: Mapping[str, str]) -> NDArray[np.float64]:
        return _of_label_1(np.array(json.loads(body)[name], np.float64))

    return read


def tensor(name: str) -> Read:
    """Reads them from an output tensor."""

    def read(body: bytes, headers: Mapping[str, str]) -> NDArray[np.float64]:
        return _of_label_1(tensors.output(body, headers, name))

    return read


def _of_label_1(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Some servers answer with a pair per passenger."""
    return probabilities.reshape(len(probabilities), -1)[:, -1]
