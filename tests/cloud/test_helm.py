"""The chart alone: what Helm makes of it for each file of values, and which values it refuses."""

import json
import re
import shlex
import subprocess
from collections.abc import Mapping

import pytest

from shared.settings import Settings
from tests.cloud.tools import kubernetes_tool, python_tool
from tests.support.kubernetes import chart, network, pods, references, schemas
from tests.support.kubernetes.chart import CHART, Helm
from tests.support.kubernetes.objects import Manifest, Objects
from tests.support.processes import ROOT

_EVERYTHING = {
    "image": {"pullSecrets": ["registry"], "apiDigest": "sha256:" + "a" * 64},
    "models": {"volume": {"storageClass": "shared"}},
    "redis": {"storageClass": "fast", "existingSecret": "redis"},
    "apiKey": {"existingSecret": "api-key"},
    "signingKey": {"existingSecret": "signing-key", "oldKey": "signing-keys-old"},
    "env": {"LIFEBOAT_LOG_LEVEL": "DEBUG", "LIFEBOAT_MAX_ROWS": 500},
    "envFrom": [{"secretRef": {"name": "store"}}],
    "api": {
        "autoscaling": {"enabled": False},
        "service": {"type": "LoadBalancer", "annotations": {"example.org/internal": "true"}},
        "env": {"LIFEBOAT_LOG_LEVEL": "INFO", "LIFEBOAT_ALLOWED_HOSTS": "models.example.org"},
        "podLabels": {"team": "rescue"},
        "podAnnotations": {"example.org/note": "a"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
    },
    "worker": {
        "definition": {"configMap": "definition"},
        "trainingData": "https://data.example.org/table.csv",
        "serviceAccount": {"create": False},
    },
    "networkPolicy": {"apiFrom": [{"podSelector": {"matchLabels": {"team": "rescue"}}}]},
    "ingress": {"enabled": True, "host": "models.example.org", "tlsSecret": "tls"},
    "serviceMonitor": {"enabled": True, "keySecret": "api-key", "labels": {"release": "a"}},
}
"""Each value that adds something."""

_BROUGHT = frozenset(
    {"Secret/lifeboat-redis-password", "ConfigMap/definition", "Secret/registry", "Secret/redis"}
    | {"Secret/api-key", "Secret/signing-key", "Secret/store", "Secret/tls"}
)
"""What users make before they install."""

_VARIANTS = [*chart.values_files(), "everything", "a Redis with TLS"]


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm(kubernetes_tool("helm"), tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[str]]:
    """Return Helm's arguments for each variant of a release."""
    file = tmp_path_factory.mktemp("values") / "everything.json"
    file.write_text(json.dumps(_EVERYTHING))
    tls = ["--set", "redis.enabled=false,redis.url=rediss://h:6380/1,redis.caConfigMap=definition"]
    return {
        **chart.values_files(),
        "everything": ["--values", str(file)],
        "a Redis with TLS": [
            *tls,
            *("--set", "models.url=s3://models,models.endpoint=http://store.example:9000"),
        ],
    }


@pytest.mark.parametrize("variant", _VARIANTS)
def test_every_variant_is_sound(
    helm: Helm, arguments: Mapping[str, list[str]], variant: str
) -> None:
    helm("lint", "--strict", "--quiet", str(CHART), *chart.RELEASE, *arguments[variant])
    objects = chart.objects(helm.rendered(*arguments[variant]), _BROUGHT)
    assert not list(schemas.findings(objects))
    assert not findings(objects)


def findings(objects: Objects) -> list[str]:
    """Return what no schema sees in the objects of a release: a sentence for each defect."""
    return [finding for check in (pods, references, network) for finding in check.findings(objects)]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("image.tga=1.4.3", "additional properties 'tga' not allowed"),
        ("image.tag=latest", "/image/tag"),
        ("image.tag=", "expected the release of Lifeboat to run, found none; set image.tag"),
        ("api.replicas=-1", "/api/replicas"),
        ("models.url=ftp://host/models", "/models/url"),
        ("env.LIFEBOAT_PORT=9000", "invalid propertyName 'LIFEBOAT_PORT'"),
        ("redis.url=redis://h:6379/0", "expected one Redis, found redis.enabled and redis.url"),
        ("redis.enabled=false", "expected a Redis for the worker, found none"),
        ("redis.enabled=false,redis.url=redis://u:p@h/0", "expected redis.url without a password"),
        ("api.autoscaling.min=9", "expected api.autoscaling.min to be at most max, found 9 and 6"),
        ("models.endpoint=http://store.example:9000", "expected a bucket beside models.endpoint"),
        ("ingress.enabled=true", "expected the host of the ingress, found none"),
    ],
)
def test_values_that_make_no_sense_are_refused_in_words(
    helm: Helm, wrong: str, sentence: str
) -> None:
    refused = helm.call("template", "titanic", str(CHART), *chart.RELEASE, "--set", wrong)
    assert refused.returncode != 0 and sentence in refused.stderr


def test_the_chart_sets_only_variables_that_are_settings(
    helm: Helm, arguments: Mapping[str, list[str]]
) -> None:
    settings = {f"LIFEBOAT_{name.upper()}" for name in Settings.model_fields}
    told = {
        variable["name"]
        for variant in _VARIANTS
        for container in _containers(chart.objects(helm.rendered(*arguments[variant])))
        for variable in container.get("env", [])
    }
    assert {name for name in told if name.startswith("LIFEBOAT_")} <= settings
    schema = json.loads((CHART / "values.schema.json").read_text())
    fixed = schema["definitions"]["environment"]["propertyNames"]["not"]["enum"]
    # What the chart sets by itself nobody can set beside it, which would be twice.
    own = {
        variable["name"]
        for container in _containers(chart.objects(helm.rendered()))
        for variable in container.get("env", [])
    }
    assert own <= set(fixed) <= settings | {"PORT"}


def _containers(objects: Objects) -> list[Manifest]:
    return [container for workload in objects.workloads for container in workload.containers]


def test_what_is_left_out_is_not_there(helm: Helm) -> None:
    only = chart.objects(helm.rendered(*chart.values_files()["values-serve-only.yaml"]))
    assert not list(only.of("StatefulSet", "Secret", "PersistentVolumeClaim"))
    assert [workload.name for workload in only.workloads] == [
        "Deployment/titanic-lifeboat-api",
        "Pod/titanic-lifeboat-test",
    ]
    variables = {
        variable["name"]: variable["value"] for variable in only.workloads[0].containers[0]["env"]
    }
    assert variables["LIFEBOAT_REDIS_URL"] == "none"
    assert variables["LIFEBOAT_MODELS"] == "s3://lifeboat-models/titanic"


@pytest.mark.parametrize(
    ("cloud", "annotation"),
    [
        ("eks", "eks.amazonaws.com/role-arn"),
        ("gke", "iam.gke.io/gcp-service-account"),
        ("aks", "azure.workload.identity/client-id"),
    ],
)
def test_api_and_worker_have_identities_of_their_own_in_each_cloud(
    helm: Helm, cloud: str, annotation: str
) -> None:
    objects = chart.objects(helm.rendered(*chart.values_files()[f"values-{cloud}.yaml"]))
    accounts = {
        account["metadata"]["name"]: account["metadata"]["annotations"][annotation]
        for account in objects.of("ServiceAccount")
    }
    assert set(accounts) == {"titanic-lifeboat-api", "titanic-lifeboat-worker"}
    assert len(set(accounts.values())) == 2


def test_the_workflow_installs_what_is_sound(helm: Helm) -> None:
    workflow = ROOT / ".github" / "workflows" / "kubernetes.yml"
    for checker in (["actionlint", "-no-color"], ["zizmor", "--offline", "--quiet"]):
        tool = [str(python_tool(checker[0])), *checker[1:], str(workflow)]
        checked = subprocess.run(tool, capture_output=True, text=True, timeout=60)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    install = re.search(r"helm upgrade --install titanic (\S+) (.+) --wait", workflow.read_text())
    assert install and ROOT / install[1] == CHART
    assert not findings(chart.objects(helm.rendered(*shlex.split(install[2]))))
