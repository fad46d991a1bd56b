"""A plugin of pytest that gives tests a Lifeboat that runs already: see `tests/Dockerfile`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import RUN_SECONDS, Client, wait_for


@pytest.fixture(scope="session")
def api() -> Iterator[Client]:
    """The Lifeboat at LIFEBOAT_TESTS_URL; in the end it serves again what it served before."""
    client = Client(os.environ["LIFEBOAT_TESTS_URL"])
    key = _api_key()
    if key:
        client.http.headers["X-API-Key"] = key
    before = wait_for(client.version, seconds=RUN_SECONDS)
    yield client
    answer = client.http.put("/models/current", json={"model_version": before})
    assert answer.status_code == 200, answer.text


def _api_key() -> str:
    """Return the first of the keys, which are one a line."""
    file = os.environ.get("LIFEBOAT_API_KEY_FILE")
    keys = Path(file).read_text() if file else os.environ.get("LIFEBOAT_API_KEY", "")
    return next(filter(None, map(str.strip, keys.splitlines())), "")
