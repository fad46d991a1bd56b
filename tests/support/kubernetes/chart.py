"""The chart, and what Helm makes of it."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.support.kubernetes.objects import Objects
from tests.support.processes import ROOT

CHART = ROOT / "deploy" / "helm" / "lifeboat"
RELEASE = ("--set", "image.tag=1.4.2")
"""Which release of Lifeboat is run, without which the chart is not rendered."""

_SECONDS = 60

# What only newer API servers have, and what stands in for it on one of 1.20: file, text, stand-in.
_SUBSTITUTES = (
    ("Chart.yaml", 'kubeVersion: ">=1.30.0-0"', 'kubeVersion: ">=1.20.0-0"'),
    ("templates/disruption-budget.yaml", "policy/v1", "policy/v1beta1"),
    ("templates/disruption-budget.yaml", "unhealthyPodEvictionPolicy: AlwaysAllow", ""),
    ("templates/autoscaling.yaml", "autoscaling/v2", "autoscaling/v2beta2"),
    ("templates/api.yaml", "matchLabelKeys: [pod-template-hash]", ""),
    (
        "templates/api.yaml",
        "sleep: {seconds: {{ .Values.api.preStopSeconds }}}",
        "exec: {command: [sleep, {{ .Values.api.preStopSeconds | quote }}]}",
    ),
)


class Helm:
    """Helm, with a home of its own, and with a cluster if it is given one."""

    def __init__(self, program: Path, home: Path, kubeconfig: Path | None = None) -> None:
        self._program = program
        folders = {
            "HELM_CACHE_HOME": "cache",
            "HELM_CONFIG_HOME": "config",
            "HELM_DATA_HOME": "data",
        }
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            # A file that is not there, so that nobody's own cluster is asked.
            "KUBECONFIG": str(kubeconfig or home / "no-cluster"),
            **{name: str(home / folder) for name, folder in folders.items()},
        }

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._program), *arguments],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )

    def __call__(self, *arguments: str) -> str:
        result = self.call(*arguments)
        assert result.returncode == 0, f"helm {' '.join(arguments)}:\n{result.stderr[-3000:]}"
        return result.stdout

    def rendered(self, *arguments: str, chart: Path = CHART) -> str:
        """Return the objects of a release called `titanic`, as YAML."""
        return self("template", "titanic", str(chart), *RELEASE, *arguments)


def objects(rendered: str, brought: frozenset[str] = frozenset()) -> Objects:
    return Objects([each for each in yaml.safe_load_all(rendered) if each], brought)


def values_files() -> Mapping[str, list[str]]:
    """Return Helm's arguments for each file of values that the chart has, by the file's name."""
    files = sorted(CHART.glob("values*.yaml"))
    return {
        file.name: [] if file.name == "values.yaml" else ["--values", str(file)] for file in files
    }


def for_an_old_server(folder: Path) -> Path:
    """Return a copy of the chart without what an API server of 1.20 does not know."""
    copy = folder / "lifeboat"
    shutil.copytree(CHART, copy)
    for name, text, stand_in in _SUBSTITUTES:
        file = copy / name
        before = file.read_text()
        assert before.count(text) == 1, f"{name} has not what is to be substituted: {text}"
        file.write_text(before.replace(text, stand_in))
    return copy
