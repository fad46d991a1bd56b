"""The chart on a real API server: installed, upgraded, rolled back and removed.

The server is of release 1.20 and has no nodes. So no pod runs, and what is newer is substituted in
a copy of the chart (`for_an_old_server`).
"""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.cloud.test_helm_defects import API, Plant, planted
from tests.cloud.tools import kubernetes_tool
from tests.support.documents import blocks, commands
from tests.support.kubernetes import chart, server
from tests.support.kubernetes.chart import CHART, Helm
from tests.support.processes import ROOT

# The server is built once on a machine, in four minutes.
pytestmark = pytest.mark.timeout(1800)

_MONITORS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {
            "kind": "ServiceMonitor",
            "singular": "servicemonitor",
            "plural": "servicemonitors",
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
"""So that the server takes a ServiceMonitor at all; it does not look into it."""


class Cluster:
    """A cluster, the two programs that ask it, and the chart as it is for its release."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self._checkout = folder / "checkout"
        self.chart = chart.for_an_old_server(self._checkout / CHART.relative_to(ROOT).parent)
        (self._checkout / "examples").symlink_to(ROOT / "examples")
        self.helm = Helm(kubernetes_tool("helm"), folder, kubeconfig)

    def call(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(kubernetes_tool("kubectl")), *arguments],
            env=self.helm.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def kubectl(self, *arguments: str, given: str = "") -> str:
        result = self.call(*arguments, given=given)
        assert result.returncode == 0, f"kubectl {' '.join(arguments)}:\n{result.stderr[-3000:]}"
        return result.stdout

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script as somebody does who has called `helm` and `kubectl` in a checkout."""
        tools = str(kubernetes_tool("helm").parent)
        return subprocess.run(
            ["sh", "-ec", script],
            cwd=self._checkout,
            env=self.helm.environment | {"PATH": f"{tools}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def get(self, namespace: str, kind: str, name: str) -> Any:
        return json.loads(self.kubectl("--namespace", namespace, "get", kind, name, "-o", "json"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with server.running(tmp_path_factory.mktemp("server")) as kubeconfig:
        cluster = Cluster(tmp_path_factory.mktemp("chart"), kubeconfig)
        cluster.kubectl("apply", "--filename", "-", given=json.dumps(_MONITORS))
        cluster.kubectl("wait", "--for=condition=established", "--timeout=30s", "crd", "--all")
        yield cluster


def test_a_release_is_installed_upgraded_rolled_back_and_removed(cluster: Cluster) -> None:
    helm, here = cluster.helm, ["--namespace", "rescue"]
    api, volume, secret = (f"titanic-lifeboat-{name}" for name in ("api", "models", "redis"))

    def image() -> str:
        deployment = cluster.get("rescue", "deployment", api)
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])

    def replicas() -> int:
        return int(cluster.get("rescue", "deployment", api)["spec"]["replicas"])

    install = ["install", "titanic", str(cluster.chart), *here, "--create-namespace"]
    helm(*install, *chart.RELEASE)
    assert image() == "lifeboat-api:1.4.2"
    password = cluster.get("rescue", "secret", secret)["data"]["password"]
    assert len(base64.b64decode(password)) == 48
    claim = cluster.get("rescue", "pvc", volume)["metadata"]["uid"]

    # As the autoscaler does.
    cluster.kubectl(*here, "scale", f"deployment/{api}", "--replicas=5")
    helm("upgrade", "titanic", str(cluster.chart), *here, "--set", "image.tag=1.5.0")
    assert (image(), replicas()) == ("lifeboat-api:1.5.0", 5)
    helm("rollback", "titanic", "1", *here)
    assert (image(), replicas()) == ("lifeboat-api:1.4.2", 5)

    assert cluster.get("rescue", "secret", secret)["data"]["password"] == password
    helm("uninstall", "titanic", *here)
    assert cluster.get("rescue", "pvc", volume)["metadata"]["uid"] == claim
    left = cluster.kubectl(*here, "get", "deployment,service,secret,pdb,hpa,netpol", "-o", "name")
    assert not left.strip()


@pytest.mark.parametrize("values", chart.values_files())
def test_the_server_takes_every_file_of_values(cluster: Cluster, values: str) -> None:
    more = ["--set", "serviceMonitor.enabled=true,ingress.enabled=true,ingress.host=example.org"]
    rendered = cluster.helm.rendered(*chart.values_files()[values], *more, chart=cluster.chart)
    dry_run = ["apply", "--dry-run=server", "--filename", "-"]
    cluster.kubectl(*dry_run, given=rendered)


_REFUSED: dict[str, Plant] = {
    "a misspelt field": (API, "spec.template.spec.containerz", []),
    "a port above the range": (
        API,
        "spec.template.spec.containers.0.ports.0.containerPort",
        80_000,
    ),
    "a name that is not allowed": (API, "metadata.name", "Titanic_API"),
    "a roll that cannot move": (
        API,
        "spec.strategy.rollingUpdate",
        {"maxSurge": 0, "maxUnavailable": 0},
    ),
    "a mount of no volume": (
        API,
        "spec.template.spec.containers.0.volumeMounts.0.name",
        "temporary",
    ),
}


@pytest.mark.parametrize("defect", _REFUSED)
def test_the_server_refuses(cluster: Cluster, defect: str) -> None:
    sound = chart.objects(cluster.helm.rendered(chart=cluster.chart))
    objects = planted(sound, _REFUSED[defect])
    refused = cluster.call(
        *("apply", "--dry-run=server", "--filename", "-"),
        given=yaml.safe_dump_all(objects.manifests),
    )
    assert refused.returncode != 0, refused.stdout


def test_every_command_of_the_page_does_what_it_says(cluster: Cluster) -> None:
    steps = [
        command.text
        for block in blocks("docs/deploy/kubernetes.md")
        if block.is_step and not block.why_not_run
        for command in commands(block)
    ]
    assert len(steps) >= 8
    for step in steps:
        done = cluster.shell(step)
        assert done.returncode == 0, f"{step}\n{done.stderr[-3000:]}"
    releases = json.loads(cluster.helm("list", "--namespace", "lifeboat", "--output", "json"))
    assert {release["name"]: release["status"] for release in releases} == {
        "titanic": "deployed",
        "replicas": "deployed",
    }
    environment = {
        each["name"]: each["value"]
        for each in cluster.get("lifeboat", "deployment", "replicas-lifeboat-api")["spec"][
            "template"
        ]["spec"]["containers"][0]["env"]
    }
    assert environment["LIFEBOAT_MODELS"] == "s3://my-models/titanic"
    definition = cluster.get("lifeboat", "configmap", "my-model")
    assert {"record.py", "model.py", "data.csv"} <= set(definition["data"])
