"""The chart on a real API server: installed, upgraded, rolled back and removed.

The server is of release 1.20 and has no nodes. So no pod runs, and what is newer is substituted in
a copy of the chart (`for_an_old_server`). A ServiceMonitor is not sent to it: built by a newer Go
than it was written for, the server dies of any custom object.
"""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cloud.test_helm_defects import API, Plant, planted
from tests.cloud.tools import kubernetes_tool
from tests.support.documents import blocks, commands
from tests.support.kubernetes import chart, server
from tests.support.kubernetes.chart import CHART, Helm
from tests.support.processes import ROOT

# The server is built once on a machine, in four minutes.
pytestmark = pytest.mark.timeout(1800)


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

    def remove(self, namespace: str, release: str) -> None:
        """Remove a release with the claims that it keeps."""
        here = ["--namespace", namespace]
        self.helm("uninstall", release, "--ignore-not-found", *here)
        for claim in self.kubectl(*here, "get", "pvc", "--output", "name").split():
            # Nobody is there who would let the claim go.
            patch = '{"metadata": {"finalizers": null}}'
            self.kubectl(*here, "patch", claim, "--type", "merge", "--patch", patch)
            self.kubectl(*here, "delete", claim)

    def get(self, namespace: str, kind: str, name: str) -> Any:
        return json.loads(self.kubectl("--namespace", namespace, "get", kind, name, "-o", "json"))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with server.running(tmp_path_factory.mktemp("server")) as kubeconfig:
        yield Cluster(tmp_path_factory.mktemp("chart"), kubeconfig)


def test_a_release_is_installed_upgraded_rolled_back_and_removed(cluster: Cluster) -> None:
    helm, here = cluster.helm, ["--namespace", "rescue"]
    api, volume, secret = (f"titanic-lifeboat-{name}" for name in ("api", "models", "redis"))

    def image() -> str:
        deployment = cluster.get("rescue", "deployment", api)
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])

    def password() -> str:
        return str(cluster.get("rescue", "secret", secret)["data"]["password"])

    def replicas() -> int:
        return int(cluster.get("rescue", "deployment", api)["spec"]["replicas"])

    install = ["install", "titanic", str(cluster.chart), *here, "--create-namespace"]
    helm(*install, *chart.RELEASE)
    assert image() == "lifeboat-api:1.4.2"
    first = password()
    assert len(base64.b64decode(first)) == 48
    claim = cluster.get("rescue", "pvc", volume)["metadata"]["uid"]

    # As the autoscaler does.
    cluster.kubectl(*here, "scale", f"deployment/{api}", "--replicas=5")
    helm("upgrade", "titanic", str(cluster.chart), *here, "--set", "image.tag=1.5.0")
    assert (image(), replicas(), password()) == ("lifeboat-api:1.5.0", 5, first)
    helm("rollback", "titanic", "1", *here)
    assert (image(), replicas(), password()) == ("lifeboat-api:1.4.2", 5, first)

    helm("uninstall", "titanic", *here)
    kept = cluster.get("rescue", "pvc", volume)["metadata"]
    # One that goes stays for as long as a pod might use it.
    assert kept["uid"] == claim and "deletionTimestamp" not in kept
    left = cluster.kubectl(*here, "get", "deployment,service,secret,pdb,hpa,netpol", "-o", "name")
    assert not left.strip()


@pytest.mark.parametrize("values", chart.values_files())
def test_the_server_takes_every_file_of_values(cluster: Cluster, values: str) -> None:
    more = ["--set", "ingress.enabled=true,ingress.host=example.org"]
    rendered = cluster.helm.rendered(*chart.values_files()[values], *more, chart=cluster.chart)
    dry_run = ["apply", "--dry-run=server", "--filename", "-"]
    cluster.kubectl(*dry_run, given=rendered)


_CONTAINER = "spec.template.spec.containers.0"
_REFUSED: dict[str, tuple[Plant, str]] = {
    "a misspelt field": (
        (API, "spec.template.spec.containerz", []),
        'unknown field "containerz"',
    ),
    "a port above the range": (
        (API, f"{_CONTAINER}.ports.0.containerPort", 80_000),
        "must be between 1 and 65535",
    ),
    "a name that is not allowed": (
        (API, "metadata.name", "Titanic_API"),
        "lowercase RFC 1123 subdomain",
    ),
    "a roll that cannot move": (
        (API, "spec.strategy.rollingUpdate", {"maxSurge": 0, "maxUnavailable": 0}),
        "may not be 0 when `maxSurge` is 0",
    ),
    "a mount of no volume": (
        (API, f"{_CONTAINER}.volumeMounts.0.name", "temporary"),
        'volumeMounts[0].name: Not found: "temporary"',
    ),
}


@pytest.mark.parametrize("defect", _REFUSED)
def test_the_server_refuses(cluster: Cluster, defect: str) -> None:
    sound = chart.objects(cluster.helm.rendered(chart=cluster.chart))
    plant, sentence = _REFUSED[defect]
    objects = planted(sound, plant)
    refused = cluster.call(
        *("apply", "--dry-run=server", "--filename", "-"),
        given=yaml.safe_dump_all(objects.manifests),
    )
    assert refused.returncode != 0 and sentence in refused.stderr, refused.stderr


def test_every_command_of_the_page_does_what_it_says(cluster: Cluster) -> None:
    steps = [
        command.text
        for block in blocks("docs/deploy/kubernetes.md")
        if block.is_step and not block.why_not_run
        for command in commands(block)
    ]
    assert len(steps) >= 8
    for step in steps:
        if step.startswith("helm upgrade --install titanic "):
            # Each is another way to begin.
            cluster.remove("lifeboat", "titanic")
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
