"""A stand-in for AWS: moto's server, on 127.0.0.1 alone."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx

from tests.cloud.tools import python_tool
from tests.support.client import http_client, wait_for
from tests.support.processes import Process, free_port
from tests.support.weed import REGION


class MotoServer:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        # By Python, because the first line of a script names the folder that it was installed in.
        arguments = [
            sys.executable,
            str(python_tool("moto_server")),
            "-H",
            "127.0.0.1",
            "-p",
            str(port),
        ]
        self.process = Process(arguments, folder / "moto.log", {})
        self._http = http_client(self.endpoint)

    def is_up(self) -> bool:
        try:
            return self._http.get("/moto-api/data.json").status_code == 200
        except httpx.HTTPError:
            return False

    def client(self, service: str) -> Any:
        """Return a client of one of AWS's services, such as "ecs"."""
        # Only the environment of `make cloud` has it.
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test-secret",
            region_name=REGION,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )

    def create_stack(self, name: str, template: Path, parameters: dict[str, str]) -> dict[str, str]:
        """Create a stack of CloudFormation; return its outputs."""
        stacks = self.client("cloudformation")
        stacks.create_stack(
            StackName=name,
            TemplateBody=template.read_text(),
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
        )
        stack = stacks.describe_stacks(StackName=name)["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def end(self) -> None:
        self._http.close()
        self.process.end()


@contextlib.contextmanager
def moto_server(folder: Path) -> Iterator[MotoServer]:
    server = MotoServer(folder)
    try:
        wait_for(server.is_up, why=server.process.output)
        yield server
    finally:
        server.end()
