"""Prints a line in `make run` once the API answers predictions: `python -m local.ready`."""

import http.client
import signal
import time
import urllib.request

from shared.settings import Settings

_LOOK_SECONDS = 0.2


def is_ready(url: str) -> bool:
    """Return whether the API at `url` has a model to predict with."""
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    # URLError is an OSError.
    except (OSError, http.client.HTTPException):
        return False


def main() -> None:
    url = Settings().api_url
    while not is_ready(url):
        time.sleep(_LOOK_SECONDS)
    print(
        f"Ready to predict at {url} (API documentation: {url}/docs). Ctrl-C stops it.", flush=True
    )
    # When one process of a Procfile ends, all of them are ended.
    signal.pause()


if __name__ == "__main__":
    main()
