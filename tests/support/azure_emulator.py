"""Azurite, Azure's own emulator of Blob Storage, on 127.0.0.1 alone."""

import base64
import hashlib
import hmac
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

from tests.cloud.tools import azurite_tool
from tests.support.processes import Process, free_port, wait_for

CONTAINER = "lifeboat-models"
_VERSION = "2021-08-06"


class AzureEmulator:
    """The emulator with one empty container; its account and its key are known to everybody."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.account = os.environ["AZURE_STORAGE_ACCOUNT_NAME"]
        self.endpoint = f"http://127.0.0.1:{port}/{self.account}"
        arguments = [
            *("node", str(azurite_tool()), "--blobHost", "127.0.0.1", "--blobPort", str(port)),
            *("--location", str(folder), "--silent", "--skipApiVersionCheck", "--disableTelemetry"),
        ]
        self._process = Process(arguments, folder / "azurite.log", {})
        wait_for(self._has_container, why=self._process.output)

    def url(self, prefix: str) -> str:
        """Return the container's address as `LIFEBOAT_MODELS` has it."""
        return f"az://{CONTAINER}/{prefix}"

    def end(self) -> None:
        self._process.end()

    def _has_container(self) -> bool:
        """Make the container, signed as Azure's documentation says of a shared key."""
        date = formatdate(usegmt=True)
        signed = (
            "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{_VERSION}\n"
            f"/{self.account}/{self.account}/{CONTAINER}\nrestype:container"
        )
        key = base64.b64decode(os.environ["AZURE_STORAGE_ACCOUNT_KEY"])
        signature = hmac.new(key, signed.encode(), hashlib.sha256).digest()
        request = urllib.request.Request(
            f"{self.endpoint}/{CONTAINER}?restype=container",
            method="PUT",
            headers={
                "x-ms-date": date,
                "x-ms-version": _VERSION,
                "Authorization": f"SharedKey {self.account}:{base64.b64encode(signature).decode()}",
                "Content-Length": "0",
            },
        )
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request, timeout=5
            ) as answer:
                return bool(answer.status == 201)
        except OSError:
            return False


@contextmanager
def azure_emulator(folder: Path) -> Iterator[AzureEmulator]:
    """Run the emulator; what it holds and its log go to the folder."""
    emulator = AzureEmulator(folder)
    try:
        yield emulator
    finally:
        emulator.end()
