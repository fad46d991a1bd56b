"""The servers that a new version has to reach: whether they serve it, and answer with it."""

import time
from collections.abc import Sequence

import httpx2 as httpx

from shared.schema.schema import Schema

_LOOK_SECONDS = 0.2
_ANSWER_SECONDS = 5.0


class NotServed(Exception):
    """Raised when a server does not serve the version in time, or does not predict with it."""


def wait_until_served(
    servers: Sequence[str], version: str, schema: Schema, keys: Sequence[str], seconds: float
) -> None:
    """Wait until each server says that it serves the version, and predicts with it.

    `servers` are the URLs of single processes or replicas: a load balancer answers for one of many.

    Raises:
        NotServed: one does not, within `seconds` for all of them.
    """
    headers = {"X-API-Key": keys[0]} if keys else {}
    deadline = time.monotonic() + seconds
    with httpx.Client(timeout=_ANSWER_SECONDS, headers=headers, trust_env=False) as client:
        for server in servers:
            _wait_for(client, server.rstrip("/"), version, deadline)
            _predict(client, server.rstrip("/"), version, schema, deadline)


def _wait_for(client: httpx.Client, server: str, version: str, deadline: float) -> None:
    while True:
        found = _served(client, server)
        if found == version:
            return
        if time.monotonic() > deadline:
            raise NotServed(f"{server}: expected {version} to be served by now, found {found}")
        time.sleep(_LOOK_SECONDS)


def _served(client: httpx.Client, server: str) -> str:
    """Return what the server says it serves, or why that is not known."""
    try:
        answer = client.get(f"{server}/health/ready")
        return str(answer.json()["model_version"] or "no model")
    except httpx.HTTPError as error:
        return f"no answer ({type(error).__name__})"
    except (ValueError, KeyError, TypeError):
        return "the answer of another program"


def _predict(
    client: httpx.Client, server: str, version: str, schema: Schema, deadline: float
) -> None:
    """Ask for the schema's own examples until they are answered: a server may be busy.

    Raises NotServed.
    """
    while True:
        try:
            _ask(client, server, version, schema)
            return
        except NotServed:
            if time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_SECONDS)


def _ask(client: httpx.Client, server: str, version: str, schema: Schema) -> None:
    """Ask for the schema's own examples. Raises NotServed."""
    records = [dict(example) for example in schema.examples]
    try:
        answer = client.post(f"{server}/predict", json=records)
    except httpx.HTTPError as error:
        raise NotServed(f"{server}: no answer to a prediction ({error})") from error
    found = answer.headers.get("X-Model-Version")
    if answer.status_code != 200 or found != version:
        raise NotServed(
            f"{server}: expected a prediction of {version}, found status {answer.status_code} of "
            f"{found}: {answer.text[:200]}"
        )
