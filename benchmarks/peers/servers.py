"""The other servers of the comparison, each with one worker process, without a line per request.

All serve the pickled pipeline of one published version, each in the way its own documentation
tells.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import passengers
from benchmarks.ours import field, tensor
from benchmarks.server import Call, Server
from shared.versions.manifest import PIPELINE_FILE
from tests.support.processes import ROOT, free_port

_LOCAL = ("--host", "127.0.0.1", "--port")
_PROGRAMS = Path(sys.executable).parent


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
        calls=[Call("hand-written", "/predict", passengers.as_list, field("probabilities"))],
        environment={"MODEL": str(version / PIPELINE_FILE)},
    )


def mlserver(version: Path, programs: Path, folder: Path) -> Server:
    port, name = free_port(), "titanic"
    path, read = f"/v2/models/{name}/infer", tensor("predict_proba")
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
        calls=[Call("BentoML", "/predict", passengers.as_list, field("probabilities"))],
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
        calls=[Call("LitServe", "/predict", passengers.as_object, field("probabilities"))],
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
                field("predictions"),
            )
        ],
        environment=environment | {"UVICORN_ACCESS_LOG": "false"},
    )
