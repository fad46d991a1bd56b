"""What the containers may and may not do, as the engine says and as their processes find out."""

import json
import re
from typing import Any

import pytest

from tests.containers.conftest import Compose, docker

SERVICES = ["redis-password", "redis", "worker", "api"]
RUNNING = ["redis", "worker", "api"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_is_confined(compose: Compose, service: str) -> None:
    container = compose.inspect(service)
    host = container["HostConfig"]
    assert container["Config"]["User"] not in ("", "0", "root")
    assert host["ReadonlyRootfs"] is True
    assert host["Privileged"] is False
    assert (host["CapDrop"], host["CapAdd"] or []) == (["ALL"], [])
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    (options,) = host["Tmpfs"].values()
    assert list(host["Tmpfs"]) == ["/tmp"]
    assert {"noexec", "nosuid", "nodev"} <= set(options.split(","))
    assert re.search(r"\bsize=\d+m\b", options)
    assert 0 < host["PidsLimit"] <= 1024
    assert 0 < host["Memory"] <= 2 << 30
    limits = {limit["Name"]: (limit["Soft"], limit["Hard"]) for limit in host["Ulimits"]}
    assert limits == {"nofile": (16384, 16384), "core": (0, 0)}


_MAY = {
    # They give their report to whoever has called them.
    "tests": ["CHOWN", "DAC_OVERRIDE"],
    # Its folder may be of the user that the image's own entrypoint changes to.
    "bucket": ["DAC_OVERRIDE"],
}


def test_every_service_of_every_profile_is_confined_as_compose_reads_it(engine: None) -> None:
    config = json.loads(Compose("config-test")("--profile", "*", "config", "--format", "json"))
    services = config["services"]
    assert {"edge", "api-2", "tests"} < services.keys()
    for name, found in services.items():
        assert found["read_only"] is True and not found.get("privileged"), name
        assert (found["cap_drop"], found.get("cap_add")) == (["ALL"], _MAY.get(name)), name
        assert found["security_opt"] == ["no-new-privileges:true"], name
        assert found["ulimits"] == services["api"]["ulimits"], name
        assert 0 < found["pids_limit"] <= 1024 and 0 < int(found["mem_limit"]) <= 2 << 30, name
        assert all(port["host_ip"] == "127.0.0.1" for port in found.get("ports", [])), name


@pytest.mark.parametrize("service", ["api", "worker"])
def test_our_images_name_their_user_by_number(compose: Compose, service: str) -> None:
    assert compose.inspect(service)["Config"]["User"] == "10001:10001"


@pytest.mark.parametrize("service", RUNNING)
def test_no_process_is_root_has_a_capability_or_can_gain_one(
    compose: Compose, service: str
) -> None:
    # Some end while they are read.
    shell = "cat /proc/[0-9]*/status 2>/dev/null; true"
    found = compose("exec", "-T", service, "sh", "-c", shell)
    processes = found.count("Name:\t")
    assert processes >= 2
    for name, value in {
        "Cap(?:Inh|Prm|Eff|Bnd|Amb)": "0000000000000000",
        "NoNewPrivs": "1",
    }.items():
        assert set(re.findall(rf"^{name}:\t(.*)$", found, re.M)) == {value}
    users = {user for line in re.findall(r"^[UG]id:\t(.*)$", found, re.M) for user in line.split()}
    assert "0" not in users


@pytest.mark.parametrize("service", RUNNING)
def test_nothing_is_written_but_where_it_has_to_be(compose: Compose, service: str) -> None:
    writable = {"redis": ["/tmp", "/data"], "worker": ["/tmp", "/models"], "api": ["/tmp"]}
    places = ["/", "/app", "/venv/bin", "/etc", "/tmp", "/models", "/data", "/run/lifeboat"]
    shell = (
        f"for place in {' '.join(places)}; do "
        "if (: > $place/written) 2>/dev/null; then echo $place; rm $place/written; fi; done"
    )
    assert compose("exec", "-T", service, "sh", "-c", shell).split() == writable[service]


@pytest.mark.parametrize("service", RUNNING)
def test_nothing_in_tmp_is_run(compose: Compose, service: str) -> None:
    shell = "cp /bin/true /tmp/program && chmod +x /tmp/program && /tmp/program; rm /tmp/program"
    assert "Permission denied" in compose("exec", "-T", service, "sh", "-c", shell)


def _networks(compose: Compose, service: str) -> dict[str, Any]:
    networks = compose.inspect(service)["NetworkSettings"]["Networks"]
    return {name.removeprefix(f"{compose.project}_"): net for name, net in networks.items()}


def test_only_who_needs_redis_is_on_its_network_which_leads_nowhere(compose: Compose) -> None:
    assert {service: set(_networks(compose, service)) for service in SERVICES} == {
        "redis-password": {"none"},
        "redis": {"redis"},
        "worker": {"redis", "training-data"},
        "api": {"redis", "published"},
    }
    network = f"{compose.project}_redis"
    assert docker("network", "inspect", "--format", "{{.Internal}}", network) == "true"


def _reaches(compose: Compose, network: str, address: str) -> bool:
    code = (
        "import socket\n"
        f"try: socket.create_connection(({address!r}, 6379), timeout=2); print('yes')\n"
        "except OSError: print('no')"
    )
    arguments = ["run", "--rm", "--network", network, "lifeboat-api", "python", "-c", code]
    return docker(*arguments) == "yes"


@pytest.mark.thorough
def test_redis_is_not_reached_from_any_other_network(compose: Compose) -> None:
    address = _networks(compose, "redis")["redis"]["IPAddress"]
    assert _reaches(compose, f"{compose.project}_redis", address)
    for network in ("bridge", f"{compose.project}_training-data", f"{compose.project}_published"):
        assert not _reaches(compose, network, address)
        assert not _reaches(compose, network, "redis")
