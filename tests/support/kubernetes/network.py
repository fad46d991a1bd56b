"""What is wrong in network policies: pods that they miss, and ways that they close."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from tests.support.kubernetes.objects import Manifest, Objects, Workload, is_selected, named


def findings(objects: Objects) -> Iterator[str]:
    """Yield a sentence for each defect."""
    for policy in objects.of("NetworkPolicy"):
        pods = objects.selected(policy["spec"]["podSelector"]["matchLabels"])
        if not pods:
            yield f"{named(policy)}: selects no pods"
        for rule in policy["spec"].get("ingress", []):
            yield from _of_ports(policy, rule, pods)
            for peer in _peers(rule, "from"):
                yield from _of_peer(policy, peer, objects)
        for rule in policy["spec"].get("egress", []):
            for peer in _peers(rule, "to"):
                yield from _of_peer(policy, peer, objects)
                yield from _of_ports(policy, rule, objects.selected(peer))
    for client in objects.workloads:
        yield from _of_ways(client, objects)
        yield from _of_outside(client, objects)


def _peers(rule: Manifest, side: str) -> Iterator[dict[str, str]]:
    for peer in rule.get(side, []):
        if "podSelector" in peer and "namespaceSelector" not in peer:
            yield peer["podSelector"]["matchLabels"]


def _of_peer(policy: Manifest, peer: dict[str, str], objects: Objects) -> Iterator[str]:
    # What a release has left out, such as its worker, may still be let in.
    component = peer.get("app.kubernetes.io/component")
    if not objects.selected(peer) and component not in ("worker", "test"):
        yield f"{named(policy)}: names pods that are not there: {peer}"


def _of_ports(policy: Manifest, rule: Manifest, pods: list[Workload]) -> Iterator[str]:
    for port in rule.get("ports", []):
        for pod in pods:
            if not pod.has_port(port["port"]):
                yield f"{named(policy)}: names port {port['port']}, which {pod.name} has not"


def _of_ways(client: Workload, objects: Objects) -> Iterator[str]:
    """Yield each Service that a pod is told of, and that it cannot reach."""
    for container in client.containers:
        told = {each["name"]: str(each.get("value", "")) for each in container.get("env", [])}
        # Where the worker's command line finds the API.
        told["LIFEBOAT_HOST"] = f"http://{told.get('LIFEBOAT_HOST')}:{told.get('LIFEBOAT_PORT')}"
        for name, value in told.items():
            url = urlsplit(value)
            service = objects.get(f"Service/{url.hostname}")
            if service is None:
                continue
            ports = [port for port in service["spec"]["ports"] if port["port"] == url.port]
            if not ports:
                yield (
                    f"{client.name}: {name} names port {url.port}, which {named(service)} has not"
                )
            for server in objects.selected(service["spec"]["selector"]):
                for port in ports:
                    yield from _closed(client, server, port["targetPort"], objects)


_OUTSIDE = {
    "LIFEBOAT_MODELS": {"s3": 443, "gs": 443, "az": 443},
    "LIFEBOAT_STORE_ENDPOINT": {"http": 80, "https": 443},
    "LIFEBOAT_TRAINING_DATA": {"http": 80, "https": 443},
    "LIFEBOAT_REDIS_URL": {"redis": 6379, "rediss": 6379},
}
"""The variables that name what is not part of a release, and the ports of their schemes."""


def _of_outside(client: Workload, objects: Objects) -> Iterator[str]:
    """Yield each port outside of the release that a pod needs and its policies close."""
    needed = {}
    for container in client.containers:
        for variable in container.get("env", []):
            url = urlsplit(str(variable.get("value", "")))
            port = url.port or _OUTSIDE.get(variable["name"], {}).get(url.scheme)
            if variable["name"] in _OUTSIDE and port and not objects.has(f"Service/{url.hostname}"):
                needed[port] = variable["name"]
        if container.get("env"):
            needed[53] = "DNS"
    for policy in objects.of("NetworkPolicy"):
        if not is_selected(client.labels, policy["spec"]["podSelector"]["matchLabels"]):
            continue
        rules = [rule for rule in policy["spec"].get("egress", []) if not rule.get("to")]
        for port, why in needed.items():
            if not any(port == each["port"] for rule in rules for each in rule["ports"]):
                yield f"{named(policy)}: closes port {port}, which {client.name} needs for {why}"


def _closed(client: Workload, server: Workload, port: str | int, objects: Objects) -> Iterator[str]:
    for policy in objects.of("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]["matchLabels"]
        for pod, side, kind, other in (
            (client, "to", "egress", server),
            (server, "from", "ingress", client),
        ):
            if not is_selected(pod.labels, selector):
                continue
            if not any(
                _lets(rule, side, other, server, port) for rule in policy["spec"].get(kind, [])
            ):
                yield f"{named(policy)}: keeps {client.name} from port {port} of {server.name}"


def _lets(rule: Manifest, side: str, other: Workload, server: Workload, port: str | int) -> bool:
    number = server.ports.get(str(port), port)
    ports = rule.get("ports")
    fits = not ports or any(
        server.ports.get(str(each["port"]), each["port"]) == number for each in ports
    )
    peers = rule.get(side)
    return fits and (
        not peers or any(is_selected(other.labels, peer) for peer in _peers(rule, side))
    )
