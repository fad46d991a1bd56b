"""The warning of an API that others can reach without a key, also by way of a browser."""

import ipaddress
import logging

from shared.settings import Settings

log = logging.getLogger(__name__)


def warn_where_open(settings: Settings) -> None:
    """Log a warning if others may change something without a key.

    Call it once, before there are processes.
    """
    if settings.api_key is not None:
        return
    if not _is_loopback(settings.host):
        log.warning(
            "the API listens on %s without a key: everybody who reaches port %s can start and "
            "cancel training runs, choose the model version and read the metrics. Set "
            "LIFEBOAT_API_KEY (or LIFEBOAT_API_KEY_FILE), unless only those who may do so reach "
            "the port; docker compose publishes it on 127.0.0.1 alone by default",
            settings.host or "every address",
            settings.port,
        )
    elif not settings.allowed_hosts:
        log.warning(
            "the API has neither a key nor allowed hosts: a web page in a browser on this machine "
            "can reach port %s under a name of its own (DNS rebinding). Set "
            "LIFEBOAT_ALLOWED_HOSTS=localhost, or LIFEBOAT_API_KEY",
            settings.port,
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        # A name, and only the resolver knows its address.
        return False
