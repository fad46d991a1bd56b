"""Each peer in a virtual environment of its own, under `.local/peers/`.

Every requirements file names uvloop and httptools, which not every peer brings along: uvicorn takes
them where they are, and HTTP shall cost all servers the same.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.support.processes import ROOT

NAMES = ("mlserver", "bentoml", "litserve", "mlflow")
FOLDER = ROOT / ".local" / "peers"

_HERE = Path(__file__).parent
_UV = Path(sys.executable).parent / "uv"
_SHOWN = {
    *(*NAMES, "mlserver-sklearn", "onnxruntime", "scikit-learn", "pandas", "numpy"),
    *("fastapi", "starlette", "uvicorn"),
}


def install(name: str) -> Path:
    """The folder of the environment's programs; installs only what is not there yet.

    Raises:
        SystemExit: the requirements name another scikit-learn than the one that fits the pipeline.
    """
    requirements = _HERE / f"{name}.txt"
    ours = f"scikit-learn=={version('scikit-learn')}"
    if ours not in requirements.read_text().splitlines():
        raise SystemExit(f"{requirements.name} must pin {ours}, as requirements/dev.txt does")
    environment = FOLDER / name
    programs = environment / "bin"
    done = environment / ".installed"
    if not done.exists() or done.read_text() != requirements.read_text():
        print(f"installing {name}", flush=True)
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(environment))
        _uv(
            *("pip", "install", "--quiet", "--compile-bytecode"),
            *("--python", str(programs / "python"), "--requirement", str(requirements)),
        )
        done.write_text(requirements.read_text())
    return programs


def versions(programs: Path) -> dict[str, str]:
    """What matters of what is installed there."""
    listed = json.loads(
        _uv("pip", "list", "--format", "json", "--python", str(programs / "python"))
    )
    return {package["name"]: package["version"] for package in listed if package["name"] in _SHOWN}


def _uv(*arguments: str) -> str:
    # The environment of whoever runs this must not become the target.
    environment = {name: v for name, v in os.environ.items() if name != "VIRTUAL_ENV"}
    run = subprocess.run([str(_UV), *arguments], capture_output=True, text=True, env=environment)
    if run.returncode != 0:
        raise SystemExit(f"uv {arguments[0]} failed: {run.stderr}")
    return run.stdout
