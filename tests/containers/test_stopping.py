"""The product is stopped and taken down. In the order of the file, which is the ring's last."""

import json
import subprocess

from tests.containers.conftest import Compose


def test_the_worker_and_the_api_stop_in_their_own_time(compose: Compose) -> None:
    compose("stop", "worker", "api")
    for service in ("worker", "api"):
        assert compose.inspect(service)["State"]["ExitCode"] == 0
    compose("start", "worker", "api")


def test_every_line_that_the_ring_has_left_in_the_logs_is_json(compose: Compose) -> None:
    for service in ("worker", "api"):
        lines = compose("logs", "--no-log-prefix", service).splitlines()
        assert lines
        for line in lines:
            assert {"time", "level", "logger", "message"} <= json.loads(line).keys()


def test_down_with_volumes_leaves_nothing(compose: Compose) -> None:
    compose("down", "--volumes")
    filters = ["--filter", f"label=com.docker.compose.project={compose.project}"]
    for kind in (["ps", "--all"], ["volume", "ls"], ["network", "ls"]):
        listed = subprocess.run(
            ["docker", *kind, "--quiet", *filters], capture_output=True, text=True, check=True
        )
        assert listed.stdout == ""
