"""A real server of S3's protocol for tests: SeaweedFS's `weed mini`, on 127.0.0.1 alone."""

import contextlib
import json
import signal
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tests.cloud.tools import python_tool
from tests.support.processes import Process, free_port, wait_for

BUCKET = "lifeboat-models"
REGION = "eu-central-1"

_PORTS = ("s3", "master", "volume", "filer", "admin")
_SECONDS = timedelta(seconds=30)
"""Longer than any call takes on a busy machine; tests of patience make a client of their own."""


class BucketServer:
    """A server with one empty bucket, its data in a folder, and a key that may do everything.

    It can be frozen, stopped and started again; what it holds stays.
    """

    access_key = "test-administrator"
    secret_key = "test-administrator-secret"

    def __init__(self, folder: Path, bucket: str = BUCKET, arguments: Sequence[str] = ()) -> None:
        self.bucket = bucket
        self._arguments = arguments
        self._folder = folder
        # Without a port of its own, gRPC takes one that outgoing connections may have.
        self._ports = {
            f"{name}.port{kind}": free_port() for name in _PORTS for kind in ("", ".grpc")
        }
        self.endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"
        self._started: list[Process] = []
        data = folder / "data"
        data.mkdir(parents=True)
        identity = {
            "name": self.access_key,
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs to reach the bucket with the key that may do everything."""
        return self.variables_of(self.access_key, self.secret_key)

    def variables_of(self, access_key: str, secret_key: str) -> dict[str, str]:
        return {
            "LIFEBOAT_STORE_ENDPOINT": self.endpoint,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_REGION": REGION,
        }

    def url(self, prefix: str = "models") -> str:
        """Return the bucket's address as `LIFEBOAT_MODELS` has it."""
        return f"s3://{self.bucket}/{prefix}"

    def client(
        self,
        access_key: str = access_key,
        secret_key: str = secret_key,
        *,
        prefix: str | None = None,
        endpoint: str = "",
    ) -> S3Store:
        """Return a client of the bucket that never asks twice, and takes any certificate."""
        return S3Store(
            self.bucket,
            prefix=prefix,
            endpoint=endpoint or self.endpoint,
            access_key_id=access_key,
            secret_access_key=secret_key,
            region=REGION,
            virtual_hosted_style_request=False,
            client_options={
                "allow_http": True,
                "allow_invalid_certificates": True,
                "timeout": _SECONDS,
            },
            retry_config={"max_retries": 0, "retry_timeout": _SECONDS},
        )

    def start(self) -> None:
        """Start the server and wait until it stores."""
        arguments = [
            *(str(python_tool("weed")), "mini", f"-dir={self._folder / 'data'}"),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *(f"-{name}={port}" for name, port in self._ports.items()),
            *(f"-bucket={self.bucket}", f"-s3.config={self._folder / 'identities.json'}"),
            # Users and their policies can be made at the same port.
            "-s3.iam.readOnly=false",
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false"),
            *("-master.telemetry=false", *self._arguments),
        ]
        self._started.append(Process(arguments, self._folder / "weed.log", {}))
        wait_for(self._stores, why=self._started[-1].output)

    def stop(self) -> None:
        self._started[-1].kill()

    def freeze(self) -> None:
        """Let the server answer nothing, while its port still takes connections."""
        self._started[-1].send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._started[-1].send(signal.SIGCONT)

    def end(self) -> None:
        for process in self._started:
            process.end()

    def _stores(self) -> bool:
        # The bucket is made, and its first volume, after the port has begun to listen.
        client = self.client()
        try:
            obstore.put(client, "first-put", b"")
            obstore.delete(client, "first-put")
        except (BaseError, TimeoutError):
            return False
        return True


@contextlib.contextmanager
def bucket_server(
    folder: Path, bucket: str = BUCKET, arguments: Sequence[str] = ()
) -> Iterator[BucketServer]:
    """Run a server with an empty bucket; its data and its log go to the folder."""
    server = BucketServer(folder, bucket, arguments)
    try:
        server.start()
        yield server
    finally:
        server.end()
