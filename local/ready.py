"""Asks the API of `make run` whether it answers, and whether it can predict."""

import http.client
import json
import urllib.request

# An API on this machine is never behind a proxy, whatever http_proxy says.
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def is_live(url: str) -> bool:
    """Return whether the API at `url` answers."""
    return _answers(f"{url}/health/live")


def is_ready(url: str) -> bool:
    """Return whether the API at `url` has a model to predict with."""
    return _answers(f"{url}/health/ready")


def serving(url: str, api_key: str | None) -> int:
    """Return how many processes of the API say that they serve a model; 0 if none can be asked."""
    asked = urllib.request.Request(
        f"{url}/processes", headers={"X-API-Key": api_key} if api_key else {}
    )
    try:
        with _DIRECTLY.open(asked, timeout=2) as answer:
            listed = json.load(answer)["processes"]
    # 503, as long as Redis is away, is an OSError.
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return 0
    return sum(process["model_version"] is not None for process in listed)


def _answers(url: str) -> bool:
    try:
        with _DIRECTLY.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    # URLError is an OSError.
    except (OSError, http.client.HTTPException):
        return False
