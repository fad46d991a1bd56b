"""The servers of the comparison, each with one worker process and without a line per request.

All but the baselines serve one published version: Lifeboat its ONNX file, the others its pickled
pipeline, each in the way its own documentation tells.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import passengers, tensors
from benchmarks.peers.server import Call, Read, Server
from shared.manifest import PIPELINE_FILE
from tests.processes import ROOT, free_port

LIFEBOAT_SPEAKS_V2 = True
"""Whether this checkout's API has the Open Inference Protocol."""

_LOCAL = ("--host", "127.0.0.1", "--port")
_PROGRAMS = Path(sys.executable).parent


def lifeboat(models_dir: Path, redis_url: str) -> Server:
    path, port = "/v2/models/lifeboat/infer", free_port()
    calls = [Call("Lifeboat", "/predict", passengers.as_list, _field("probabilities"))]
    if LIFEBOAT_SPEAKS_V2:
        read = _tensor("probabilities")
        calls += [
            Call("Lifeboat, tensors", path, passengers.as_tensors, read),
            Call("Lifeboat, binary tensors", path, passengers.as_binary_tensors, read),
        ]
    return Server(
        name="lifeboat",
        port=port,
        command=[sys.executable, "-m", "api"],
        ready="/health/ready",
        calls=calls,
        environment={
            "LIFEBOAT_PORT": str(port),
            "LIFEBOAT_API_WORKERS": "1",
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


def handwritten(version: Path) -> Server:
    port = free_port()
    app = "benchmarks.peers.handwritten:create_app"
    return Server(
        name="hand-written",
        port=port,
        command=[
            *(str(_PROGRAMS / "uvicorn"), "--factory", app, *_LOCAL, str(port)),
            "--no-access-log",
        ],
        ready="/openapi.json",
        calls=[Call("hand-written", "/predict", passengers.as_list, _field("probabilities"))],
        environment={"MODEL": str(version / PIPELINE_FILE)},
    )


def mlserver(version: Path, programs: Path, folder: Path) -> Server:
    port, name = free_port(), "titanic"
    path, read = f"/v2/models/{name}/infer", _tensor("predict_proba")
    folder.mkdir()
    settings = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        # In the server's own process: on one core, a second one only adds a queue between them.
        "parallel_workers": 0,
    }
    model = {
        "name": name,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {
            "uri": str(version / PIPELINE_FILE),
            "extra": {"predict_fn": "predict_proba"},
        },
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    return Server(
        name="mlserver",
        port=port,
        command=[str(programs / "mlserver"), "start", str(folder)],
        ready=f"/v2/models/{name}/ready",
        calls=[
            Call("MLServer, tensors", path, passengers.as_tensors, read),
            # 1.7 has no binary tensors over HTTP.
            Call(
                "MLServer, binary tensors",
                path,
                passengers.as_binary_tensors,
                read,
                may_refuse=True,
            ),
        ],
    )


def bentoml(version: Path, programs: Path, folder: Path) -> Server:
    port = free_port()
    service = "benchmarks.peers.bentoml_service:Titanic"
    return Server(
        name="bentoml",
        port=port,
        command=[str(programs / "bentoml"), "serve", service, *_LOCAL, str(port)],
        ready="/readyz",
        calls=[Call("BentoML", "/predict", passengers.as_list, _field("probabilities"))],
        environment={
            "MODEL": str(version / PIPELINE_FILE),
            "BENTOML_HOME": str(folder),
            "BENTOML_DO_NOT_TRACK": "True",
        },
    )


def litserve(version: Path, programs: Path) -> Server:
    port = free_port()
    module = "benchmarks.peers.litserve_server"
    return Server(
        name="litserve",
        port=port,
        command=[str(programs / "python"), "-m", module, str(port)],
        ready="/health",
        calls=[Call("LitServe", "/predict", passengers.as_object, _field("probabilities"))],
        environment={"MODEL": str(version / PIPELINE_FILE)},
    )


def mlflow(version: Path, programs: Path, folder: Path) -> Server:
    port = free_port()
    module = "benchmarks.peers.mlflow_model"
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "ERROR"}
    subprocess.run(
        [programs / "python", "-m", module, version / PIPELINE_FILE, folder],
        check=True,
        cwd=ROOT,
        env=os.environ | environment,
    )
    return Server(
        name="mlflow",
        port=port,
        command=[
            *(str(programs / "mlflow"), "models", "serve", "--model-uri", str(folder)),
            *("--env-manager", "local", *_LOCAL, str(port)),
        ],
        ready="/ping",
        calls=[
            Call(
                "MLflow",
                "/invocations",
                passengers.as_dataframe_records,
                _field("predictions"),
            )
        ],
        environment=environment | {"UVICORN_ACCESS_LOG": "false"},
    )


def _field(name: str) -> Read:
    def read(body: bytes, headers: Mapping[str, str]) -> NDArray[np.float64]:
        return _of_label_1(np.array(json.loads(body)[name], np.float64))

    return read


def _tensor(name: str) -> Read:
    def read(body: bytes, headers: Mapping[str, str]) -> NDArray[np.float64]:
        return _of_label_1(tensors.output(body, headers, name))

    return read


def _of_label_1(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Some servers answer with a pair per passenger."""
    return probabilities.reshape(len(probabilities), -1)[:, -1]
