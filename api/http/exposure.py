"""The warning of an API that others can reach without a key."""

import ipaddress
import logging

from shared.settings import Settings

log = logging.getLogger(__name__)


def warn_where_open(settings: Settings) -> None:
    """Log a warning if other machines may change something without a key.

    Call it once, before there are processes.
    """
    if settings.api_key is not None or _is_loopback(settings.host):
        return
    log.warning(
        "the API listens on %s without a key: everybody who reaches port %s can start and cancel "
        "training runs, choose the model version and read the metrics. Set LIFEBOAT_API_KEY (or "
        "LIFEBOAT_API_KEY_FILE), unless only those who may do so reach the port; docker compose "
        "publishes it on 127.0.0.1 alone by default",
        settings.host or "every address",
        settings.port,
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        # A name, and only the resolver knows its address.
        return False
