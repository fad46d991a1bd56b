"""Each check of the chart can fail: defects are planted in what it renders, and found."""

from copy import deepcopy
from typing import Any

import pytest

from tests.cloud.test_helm import findings
from tests.cloud.tools import kubernetes_tool
from tests.support.kubernetes import chart, schemas
from tests.support.kubernetes.chart import Helm
from tests.support.kubernetes.objects import Objects

API = "Deployment/titanic-lifeboat-api"
_REDIS = "StatefulSet/titanic-lifeboat-redis"
_SCALER = "HorizontalPodAutoscaler/titanic-lifeboat-api"
_BUDGET = "PodDisruptionBudget/titanic-lifeboat-api"
_POLICY = "NetworkPolicy/titanic-lifeboat-redis"
_API_POLICY = "NetworkPolicy/titanic-lifeboat-api"
_MONITOR = "ServiceMonitor/titanic-lifeboat-api"
_BACKEND = "spec.rules.0.http.paths.0.backend.service"
_CONTAINER = "spec.template.spec.containers.0"

Plant = tuple[str, str, Any]
"""An object, the place of a value in it, and what is put there; None takes the value away."""

_FOUND_BY_SCHEMAS: dict[str, Plant] = {
    "a misspelt field": (API, "spec.template.spec.containerz", []),
    "a value of another type": (API, "spec.template.spec.terminationGracePeriodSeconds", "long"),
    "a version that is not there": (API, "apiVersion", "apps/v7"),
    "a field that is missing": (API, "spec.selector", None),
}

_FOUND_BY_US: dict[str, tuple[Plant, str]] = {
    "a selector that misses its own pods": (
        (API, "spec.template.metadata.labels", {"app": "other"}),
        "its selector does not match the labels of its own pods",
    ),
    "a selector that takes others' pods": (
        (API, "spec.selector.matchLabels", {"app.kubernetes.io/name": "lifeboat"}),
        "its selector matches the pods of",
    ),
    "a Service of nobody's pods": (
        ("Service/titanic-lifeboat-api", "spec.selector", {"app": "other"}),
        "expected the pods of one workload, found those of []",
    ),
    "a Service that leads to no port": (
        ("Service/titanic-lifeboat-api", "spec.ports.0.targetPort", "web"),
        "leads to port web",
    ),
    "a port above the range": ((API, f"{_CONTAINER}.ports.0.containerPort", 80_000), "found 80000"),
    "a port's name that is too long": (
        (API, f"{_CONTAINER}.ports.0.name", "the-port-of-the-api"),
        "expected the name of a port",
    ),
    "a probe of no port": (
        (API, f"{_CONTAINER}.readinessProbe.httpGet.port", "web"),
        "readinessProbe asks port web",
    ),
    "a name that is not allowed": ((API, "metadata.name", "Titanic_API"), "expected a name of"),
    "a name that is there twice": (
        ("ServiceAccount/titanic-lifeboat-api", "metadata.name", "titanic-lifeboat-worker"),
        "two objects have this name",
    ),
    "a roll that cannot move": (
        (API, "spec.strategy.rollingUpdate", {"maxSurge": 0, "maxUnavailable": 0}),
        "a roll can neither add a pod nor take one away",
    ),
    "a roll that takes pods away": (
        (API, "spec.strategy.rollingUpdate.maxUnavailable", "25%"),
        "a roll takes 25% pods away",
    ),
    "an account that is not there": (
        (API, "spec.template.spec.serviceAccountName", "nobody"),
        "names ServiceAccount/nobody",
    ),
    "a Secret that is not there": (
        (API, "spec.template.spec.volumes.1.secret.secretName", "gone"),
        "names Secret/gone",
    ),
    "a claim that is not there": (
        (_REDIS, "spec.template.spec.volumes.0.persistentVolumeClaim.claimName", "gone"),
        "names PersistentVolumeClaim/gone",
    ),
    "a ConfigMap that is not there": (
        (API, "spec.template.spec.volumes.0", {"name": "tmp", "configMap": {"name": "gone"}}),
        "names ConfigMap/gone",
    ),
    "a mount of no volume": (
        (API, f"{_CONTAINER}.volumeMounts.0.name", "temporary"),
        "mounts temporary, but the pod has no volume of that name",
    ),
    "two volumes on one path": (
        (_REDIS, f"{_CONTAINER}.volumeMounts.0.mountPath", "/tmp"),
        "mounts two volumes on /tmp",
    ),
    "a password file where nothing is mounted": (
        (API, f"{_CONTAINER}.env.2.value", "/etc/redis/password"),
        "LIFEBOAT_REDIS_PASSWORD_FILE is /etc/redis/password, where nothing is mounted",
    ),
    "a password that the Secret has not": (
        (API, f"{_CONTAINER}.env.2.value", "/etc/lifeboat/redis/secret"),
        "but the Secret has no secret",
    ),
    "a variable that is set twice": (
        (API, f"{_CONTAINER}.env.1.name", "LIFEBOAT_MODELS"),
        "the variable LIFEBOAT_MODELS is set twice",
    ),
    "an image whose tag moves": (
        (API, f"{_CONTAINER}.image", "lifeboat-api:latest"),
        "expected an image with a tag that stays",
    ),
    "a stop that is cut off": (
        (API, "spec.template.spec.terminationGracePeriodSeconds", 8),
        "preStop waits 5 s of the 8 s",
    ),
    "a user who may be root": (
        (_REDIS, "spec.template.spec.securityContext.runAsNonRoot", None),
        "the pod may run as root",
    ),
    "a root that can be written to": (
        (_REDIS, f"{_CONTAINER}.securityContext.readOnlyRootFilesystem", False),
        "expected readOnlyRootFilesystem to be True",
    ),
    "an autoscaler of nothing": (
        (_SCALER, "spec.scaleTargetRef.name", "titanic"),
        "scales Deployment/titanic, which is not there",
    ),
    "an autoscaler whose work is undone": ((API, "spec.replicas", 2), "sets its replicas"),
    "an autoscaler without a measure": (
        (API, f"{_CONTAINER}.resources.requests.cpu", None),
        "requests no processor time",
    ),
    "more replicas at least than at most": ((_SCALER, "spec.minReplicas", 7), "found 7"),
    "a budget that lets nobody go": (
        (_BUDGET, "spec", {"minAvailable": 2, "selector": {"matchLabels": "the API's"}}),
        "lets none of 2 pods go",
    ),
    "a policy of a port that is not there": (
        (_POLICY, "spec.ingress.0.ports.0.port", 6380),
        "names port 6380",
    ),
    "a policy that keeps a client out": (
        (_POLICY, "spec.ingress.0.from.0.podSelector.matchLabels", "the worker's"),
        "keeps Deployment/titanic-lifeboat-api from port redis",
    ),
    "a policy that selects no pods": (
        (_POLICY, "spec.podSelector.matchLabels", {"app": "other"}),
        "selects no pods",
    ),
    "a policy that closes the bucket": (
        (_API_POLICY, "spec.egress.2.ports.0.port", 80),
        "closes port 443, which Deployment/titanic-lifeboat-api needs for LIFEBOAT_MODELS",
    ),
    "a policy that closes DNS": (
        (_API_POLICY, "spec.egress.0", {"ports": [{"port": 80, "protocol": "TCP"}]}),
        "closes port 53",
    ),
    "an ingress of no port": (
        ("Ingress/titanic-lifeboat", f"{_BACKEND}.port.name", "web"),
        "leads to port web of Service/titanic-lifeboat-api, which is not there",
    ),
    "a certificate that is not there": (
        ("Ingress/titanic-lifeboat", "spec.tls", [{"secretName": "gone"}]),
        "names Secret/gone",
    ),
    "a monitor of no Service": (
        (_MONITOR, "spec.selector.matchLabels", {"app": "other"}),
        "expected one Service, found []",
    ),
    "a monitor of no port": ((_MONITOR, "spec.endpoints.0.port", "web"), "asks port web"),
    "a URL of Redis with another port": (
        (API, f"{_CONTAINER}.env.1.value", "redis://titanic-lifeboat-redis:6380/0"),
        "LIFEBOAT_REDIS_URL names port 6380",
    ),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    helm = Helm(kubernetes_tool("helm"), tmp_path_factory.mktemp("helm"))
    more = "serviceMonitor.enabled=true,ingress.enabled=true,ingress.host=models.example.org"
    return chart.objects(helm.rendered("--set", more, "--set", "models.url=s3://models/titanic"))


def planted(sound: Objects, plant: Plant) -> Objects:
    """Return the objects with one value changed."""
    name, place, value = plant
    objects = deepcopy(sound)
    found: Any = objects.get(name)
    *way, last = [int(step) if step.isdigit() else step for step in place.split(".")]
    for step in way:
        found = found[step]
    if value is None:
        del found[last]
    else:
        found[last] = value
    return objects


@pytest.mark.parametrize("defect", _FOUND_BY_SCHEMAS)
def test_the_schemas_find(sound: Objects, defect: str) -> None:
    assert not list(schemas.findings(sound))
    assert list(schemas.findings(planted(sound, _FOUND_BY_SCHEMAS[defect])))


@pytest.mark.parametrize("defect", _FOUND_BY_US)
def test_our_own_checks_find(sound: Objects, defect: str) -> None:
    assert not findings(sound)
    plant, sentence = _FOUND_BY_US[defect]
    labels = {workload.name: workload.labels for workload in sound.workloads}
    matching = {"the API's": labels[API], "the worker's": labels[API.replace("-api", "-worker")]}
    name, place, value = plant
    found = findings(planted(sound, (name, place, _filled(value, matching))))
    assert any(sentence in finding for finding in found), found


def _filled(value: Any, matching: dict[str, dict[str, str]]) -> Any:
    match value:
        case str(key) if key in matching:
            return matching[key]
        case dict():
            return {key: _filled(inner, matching) for key, inner in value.items()}
    return value
