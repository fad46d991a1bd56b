"""Asks the API of `make run` whether it answers, and whether it can predict."""

import http.client
import urllib.request

# An API on this machine is never behind a proxy, whatever http_proxy says.
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def is_live(url: str) -> bool:
    """Return whether the API at `url` answers."""
    return _answers(f"{url}/health/live")


def is_ready(url: str) -> bool:
    """Return whether the API at `url` has a model to predict with."""
    return _answers(f"{url}/health/ready")


def _answers(url: str) -> bool:
    try:
        with _DIRECTLY.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    # URLError is an OSError.
    except (OSError, http.client.HTTPException):
        return False
