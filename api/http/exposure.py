"""Who can reach the API, and whether that deserves a warning."""

import ipaddress
import logging

from shared.settings import Settings

log = logging.getLogger(__name__)


def warn_where_open(settings: Settings) -> None:
    """Logs one warning where others than this machine may change something without a key.

    Called once, before there are processes.
    """
    if settings.api_key is not None or _is_loopback(settings.host):
        return
    log.warning(
        "the API listens on %s without a key: whoever reaches port %s can start and cancel "
        "training runs, choose the model version and read the metrics. Set LIFEBOAT_API_KEY (or "
        "LIFEBOAT_API_KEY_FILE), unless only those who may do so can reach it; docker compose "
        "publishes the port on 127.0.0.1 alone by default",
        settings.host or "every address",
        settings.port,
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        # A name: where it leads, only the resolver knows.
        return False
