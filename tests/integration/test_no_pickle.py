"""The serving process never unpickles anything that names a class or a function.

Python raises the audit event `pickle.find_class` whenever an unpickler, of whichever module, looks
up a name, and without a name a pickle holds plain data. A hook in place before the first line of
the application notes each event with who called. What is left is multiprocessing's own: uvicorn's
parent starts its processes by sending them their task, pickled, through a pipe that it made itself.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.runtime.redis_keys import VERSION
from tests.support.processes import ROOT, Api, Stack, http_client
from tests.support.versions import publish

_HOOK = """
import json, os, sys

def note(event, arguments):
    if event == "pickle.find_class":
        frame, functions = sys._getframe(1), []
        while frame is not None:
            functions.append(frame.f_code.co_name)
            frame = frame.f_back
        with open(os.environ["UNPICKLED"], "a") as file:
            print(json.dumps([os.getpid(), ".".join(arguments), functions]), file=file)

sys.addaudithook(note)
"""


@pytest.fixture
def hooked(tmp_path: Path) -> dict[str, str]:
    """The environment of a process that notes what it unpickles, and whose children do."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(_HOOK)
    (tmp_path / "unpickled").touch()
    return {
        "UNPICKLED": str(tmp_path / "unpickled"),
        "PYTHONPATH": os.pathsep.join([str(hooks), str(ROOT)]),
    }


def _unpickled(hooked: dict[str, str]) -> list[tuple[int, str, list[str]]]:
    """Process, name and calling functions, innermost first."""
    return [tuple(json.loads(line)) for line in Path(hooked["UNPICKLED"]).read_text().splitlines()]


def _use(api: Api) -> None:
    """Every route, over enough connections to meet both processes."""
    passenger: dict[str, object] = {"Sex": "female", "Age": 30}
    columns = {
        "inputs": [
            {"name": "Sex", "shape": [1], "datatype": "BYTES", "data": ["male"]},
            {"name": "Age", "shape": [1], "datatype": "FP32", "data": [30]},
        ]
    }
    for _ in range(8):
        with http_client(api.url) as http:
            assert http.post("/predict", json=[passenger]).status_code == 200
            assert http.post("/predict", json=[passenger] * 2000).status_code == 200
            assert http.post("/predict", json=[{"age": 1}]).status_code == 422
            answer = http.post("/v2/models/lifeboat/infer", json=columns)
            assert answer.status_code == 200, answer.text
            for path in ("/health/live", "/health/ready", "/metrics", "/jobs", "/models", "/docs"):
                assert http.get(path).status_code == 200
            assert http.get("/openapi.json").status_code == 200
            assert http.get("/v2/models/lifeboat").status_code == 200


def test_serving_loading_and_swapping_unpickle_nothing(
    stack: Stack, hooked: dict[str, str]
) -> None:
    first, second = publish(stack.models_dir), publish(stack.models_dir)
    stack.redis.client.set(VERSION, first)
    stack.environment = hooked
    api = stack.start_api(processes=2)
    _use(api)
    for version in (second, first):
        assert api.http.put("/models/current", json={"model_version": version}).status_code == 200
        api.wait_for_version(version)
    assert api.http.get(f"/models/{first}").status_code == 200
    job_id = api.run_pipeline()
    assert api.http.delete(f"/jobs/{job_id}").status_code == 202
    assert api.http.get(f"/jobs/{job_id}/events").status_code == 200
    _use(api)
    assert api.stop() == 0

    unpickled = _unpickled(hooked)
    # Each of the two processes was sent its task, and the parent was sent nothing.
    processes = {process for process, *_ in unpickled}
    assert len(processes) == 2 and api.pid not in processes
    for process, name, functions in unpickled:
        # multiprocessing calls _bootstrap once it has its task; all of ours happens in there.
        sent_by_the_parent = "spawn_main" in functions and "_bootstrap" not in functions
        assert sent_by_the_parent, f"process {process} unpickled {name} in {functions}"


@pytest.mark.parametrize(
    "load",
    [
        "pickle.loads(data)",
        "pickle._loads(data)",
        "pickle.Unpickler(io.BytesIO(data)).load()",
        "joblib.load(io.BytesIO(data))",
    ],
)
def test_the_hook_sees_whatever_unpickles(hooked: dict[str, str], load: str) -> None:
    code = f"import io, joblib, os, pickle; data = pickle.dumps(os.getcwd); {load}"
    subprocess.run([sys.executable, "-c", code], env=os.environ | hooked, check=True)
    assert [name for _, name, _ in _unpickled(hooked)] == ["posix.getcwd"]
