"""Says once, in `make run`, that predictions are answered: `python -m local.ready`."""

import http.client
import signal
import time
import urllib.request

from shared.settings import Settings

_LOOK_SECONDS = 0.2


def address(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    # URLError is an OSError.
    except (OSError, http.client.HTTPException):
        return False


def main() -> None:
    url = address(Settings())
    while not is_ready(url):
        time.sleep(_LOOK_SECONDS)
    print(f"Ready to predict at {url} (its calls: {url}/docs). Ctrl-C stops it.", flush=True)
    # When one process of a Procfile ends, all do.
    signal.pause()


if __name__ == "__main__":
    main()
