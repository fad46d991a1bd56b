"""What is wrong between the objects of a release: names, selectors and numbers of one another."""

import re
from collections.abc import Iterator

from tests.support.kubernetes.objects import Manifest, Objects, is_selected, named, repeated

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def findings(objects: Objects) -> Iterator[str]:
    """Yield a sentence for each defect."""
    checks = {
        "Deployment": _of_deployment,
        "StatefulSet": _of_stateful_set,
        "Service": _of_service,
        "HorizontalPodAutoscaler": _of_autoscaler,
        "PodDisruptionBudget": _of_budget,
        "Ingress": _of_ingress,
        "ServiceMonitor": _of_monitor,
    }
    for name in repeated(named(manifest) for manifest in objects.manifests):
        yield f"{name}: two objects have this name"
    for manifest in objects.manifests:
        if not _NAME.fullmatch(manifest["metadata"]["name"]):
            yield f"{named(manifest)}: expected a name of a-z, 0-9 and -, of 63 characters at most"
        check = checks.get(manifest["kind"])
        for finding in check(manifest, objects) if check else ():
            yield f"{named(manifest)}: {finding}"
    yield from _of_what_is_named(objects)


def _of_what_is_named(objects: Objects) -> Iterator[str]:
    """Yield each account, Secret, ConfigMap and claim that a pod names and nobody has."""
    for workload in objects.workloads:
        spec = workload.spec
        account = spec.get("serviceAccountName", "default")
        needed = [] if account == "default" else [f"ServiceAccount/{account}"]
        needed += [f"Secret/{each['name']}" for each in spec.get("imagePullSecrets", [])]
        for volume in spec.get("volumes", []):
            if "secret" in volume:
                needed.append(f"Secret/{volume['secret']['secretName']}")
            if "configMap" in volume:
                needed.append(f"ConfigMap/{volume['configMap']['name']}")
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                needed.append(f"PersistentVolumeClaim/{claim}")
        for container in workload.containers:
            for source in container.get("envFrom", []):
                kind = "Secret" if "secretRef" in source else "ConfigMap"
                needed.append(f"{kind}/{next(iter(source.values()))['name']}")
        for name in needed:
            if not objects.has(name):
                yield f"{workload.name}: names {name}, which is not there"


def _of_selector(manifest: Manifest, objects: Objects) -> Iterator[str]:
    spec = manifest["spec"]
    selector = spec["selector"]["matchLabels"]
    if not is_selected(spec["template"]["metadata"]["labels"], selector):
        yield "its selector does not match the labels of its own pods"
    for other in objects.selected(selector):
        if other.manifest is not manifest:
            yield f"its selector matches the pods of {other.name}, too"


def _of_deployment(manifest: Manifest, objects: Objects) -> Iterator[str]:
    yield from _of_selector(manifest, objects)
    rolling = manifest["spec"]["strategy"]["rollingUpdate"]
    if rolling["maxUnavailable"] != 0:
        yield f"a roll takes {rolling['maxUnavailable']} pods away before new ones are ready"
    elif rolling["maxSurge"] == 0:
        yield "a roll can neither add a pod nor take one away"


def _of_stateful_set(manifest: Manifest, objects: Objects) -> Iterator[str]:
    yield from _of_selector(manifest, objects)
    if not objects.has(f"Service/{manifest['spec']['serviceName']}"):
        yield f"its service {manifest['spec']['serviceName']} is not there"


def _of_service(manifest: Manifest, objects: Objects) -> Iterator[str]:
    pods = objects.selected(manifest["spec"]["selector"])
    if len(pods) != 1:
        yield f"expected the pods of one workload, found those of {[pod.name for pod in pods]}"
    for port in manifest["spec"]["ports"]:
        for pod in pods:
            if not pod.has_port(port["targetPort"]):
                yield f"leads to port {port['targetPort']}, which {pod.name} has not"


def _of_autoscaler(manifest: Manifest, objects: Objects) -> Iterator[str]:
    spec = manifest["spec"]
    target = spec["scaleTargetRef"]
    scaled = objects.get(f"{target['kind']}/{target['name']}")
    if scaled is None:
        yield f"scales {target['kind']}/{target['name']}, which is not there"
        return
    if "replicas" in scaled["spec"]:
        yield f"{named(scaled)} sets its replicas, so each upgrade would undo what was scaled"
    if spec["minReplicas"] > spec["maxReplicas"]:
        yield f"expected minReplicas up to {spec['maxReplicas']}, found {spec['minReplicas']}"
    for container in scaled["spec"]["template"]["spec"]["containers"]:
        if "cpu" not in container.get("resources", {}).get("requests", {}):
            yield f"{container['name']} requests no processor time, of which a share is measured"


def _of_budget(manifest: Manifest, objects: Objects) -> Iterator[str]:
    spec = manifest["spec"]
    pods = objects.selected(spec["selector"]["matchLabels"])
    if len(pods) != 1:
        yield f"expected the pods of one workload, found those of {[pod.name for pod in pods]}"
        return
    scalers = (
        scaler["spec"]["minReplicas"]
        for scaler in objects.of("HorizontalPodAutoscaler")
        if scaler["spec"]["scaleTargetRef"]["name"] == pods[0].manifest["metadata"]["name"]
    )
    fewest = next(scalers, pods[0].manifest["spec"].get("replicas", 1))
    if spec.get("maxUnavailable") in (0, "0%") or spec.get("minAvailable", 0) >= fewest:
        yield f"lets none of {fewest} pods go, so no node can be emptied"


def _of_ingress(manifest: Manifest, objects: Objects) -> Iterator[str]:
    for secured in manifest["spec"].get("tls", []):
        if not objects.has(f"Secret/{secured['secretName']}"):
            yield f"names Secret/{secured['secretName']}, which is not there"
    for rule in manifest["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            wanted = path["backend"]["service"]
            service = objects.get(f"Service/{wanted['name']}")
            ports = [] if service is None else service["spec"]["ports"]
            port = wanted["port"]["name"]
            if port not in [each["name"] for each in ports]:
                yield f"leads to port {port} of Service/{wanted['name']}, which is not there"


def _of_monitor(manifest: Manifest, objects: Objects) -> Iterator[str]:
    selector = manifest["spec"]["selector"]["matchLabels"]
    services = [
        service
        for service in objects.of("Service")
        if is_selected(service["metadata"].get("labels", {}), selector)
    ]
    if len(services) != 1:
        yield f"expected one Service, found {[named(service) for service in services]}"
    for endpoint in manifest["spec"]["endpoints"]:
        for service in services:
            if endpoint["port"] not in [port["name"] for port in service["spec"]["ports"]]:
                yield f"asks port {endpoint['port']}, which {named(service)} has not"
        key = endpoint.get("authorization", {}).get("credentials")
        if key and not objects.has(f"Secret/{key['name']}"):
            yield f"names Secret/{key['name']}, which is not there"
