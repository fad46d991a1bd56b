"""What the cloud ring shares: nothing outside this machine is ever asked.

Every credential and endpoint of a cloud is set to what leads nowhere, and a proxy that refuses
notes what was asked all the same.
"""

import os
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import bucket
from shared.versions.storage.bucket import BucketStorage
from tests.support.weed import BucketServer, bucket_server

_NOWHERE = "http://127.0.0.1:9"
"""The discard port, where nothing listens."""

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test-secret",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_METADATA_ENDPOINT": _NOWHERE,
    "AWS_ENDPOINT_URL": _NOWHERE,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    # The account and the key that Azure's emulator has, which are public.
    "AZURE_STORAGE_ACCOUNT_NAME": "devstoreaccount1",
    "AZURE_STORAGE_ACCOUNT_KEY": (
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    ),
    # GOOGLE_SKIP_SIGNATURE is not heeded by obstore 0.12, which then asks a link-local address.
    "GOOGLE_BEARER_TOKEN": "test",
    "GCE_METADATA_HOST": "127.0.0.1:9",
    "GCE_METADATA_IP": "127.0.0.1:9",
    "NO_GCE_CHECK": "true",
}


class _Refusal(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, _RefusingProxy)
        self.server.asked.append(self.rfile.readline(1000).decode(errors="replace").strip())
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


class _RefusingProxy(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refusal)
        self.asked: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def nothing_outside() -> Iterator[None]:
    """Set every way to a cloud to nowhere, and hold at the end that nobody asked for one."""
    with _RefusingProxy() as proxy, pytest.MonkeyPatch.context() as environment:
        threading.Thread(target=proxy.serve_forever, name="refusing-proxy", daemon=True).start()
        url = f"http://127.0.0.1:{proxy.server_address[1]}"
        for name in list(os.environ):
            if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "LIFEBOAT_", "OTEL_")):
                environment.delenv(name)
        for name, value in _CREDENTIALS.items():
            environment.setenv(name, value)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
            environment.setenv(name, url)
        for name in ("NO_PROXY", "no_proxy"):
            environment.setenv(name, "127.0.0.1,localhost,::1")
        yield
        proxy.shutdown()
        assert not proxy.asked, f"tests asked for what is not on this machine: {proxy.asked[:20]}"


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BucketServer]:
    with bucket_server(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture
def url(weed: BucketServer, tmp_path: Path) -> str:
    """Return a place of the bucket that this test alone uses."""
    return weed.url(f"{tmp_path.name}/models")


@pytest.fixture
def storage(weed: BucketServer, url: str, monkeypatch: pytest.MonkeyPatch) -> BucketStorage:
    for name, value in weed.variables.items():
        monkeypatch.setenv(name, value)
    client = bucket.client(bucket.parse(url), weed.endpoint, 20)
    return BucketStorage(url, client, client)
