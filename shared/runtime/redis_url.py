"""The URL of Redis, in the one form that redis-py and Celery's client read alike."""

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

_DATABASE = re.compile(r"/?|/[0-9]{1,5}")
_CERTIFICATE = re.compile(r"ssl_cert_reqs=(none|optional|required)")


@dataclass(frozen=True, slots=True)
class RedisServer:
    """Where Redis is, and how its certificate is checked."""

    url: str
    ca_file: Path | None = None

    @property
    def plain_url(self) -> str:
        """The URL without its query, which only `tls` heeds."""
        return urlunsplit(urlsplit(self.url)._replace(query=""))

    @property
    def tls(self) -> dict[str, object]:
        """Both clients' options, in redis-py's words; empty without TLS.

        Of its own, Celery would check no certificate.
        """
        parts = urlsplit(self.url)
        if parts.scheme != "rediss":
            return {}
        stated = _CERTIFICATE.fullmatch(parts.query)
        wanted = stated[1] if stated else "required"
        return {
            "ssl_cert_reqs": wanted,
            "ssl_check_hostname": wanted == "required",
            "ssl_ca_certs": None if self.ca_file is None else str(self.ca_file),
        }


def checked(url: str) -> str:
    """Return a URL that both clients read alike.

    Raises:
        ValueError: It is another. The message quotes nothing of it, as it may hold a password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        # urllib's own message quotes a part of the URL.
        raise ValueError(_expected("something else")) from None
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError(_expected("another scheme"))
    if not host or port == 0:
        raise ValueError(_expected("no host" if not host else "port 0"))
    if parts.netloc.count("@") > 1:
        raise ValueError(_expected("more than one @"))
    if any(not letter.isprintable() or letter.isspace() for letter in url):
        raise ValueError(_expected("a blank or a control character"))
    if "%" in host:
        raise ValueError(_expected("% in the host"))
    if not _DATABASE.fullmatch(parts.path):
        raise ValueError(_expected("a path that is not the number of a database"))
    if parts.fragment or "#" in url:
        raise ValueError(_expected("#"))
    tls = parts.scheme == "rediss" and _CERTIFICATE.fullmatch(parts.query)
    if parts.query and not tls:
        raise ValueError(
            _expected("a query that only one of the two clients heeds")
            + ". Write the database as a path (/5), and name a certificate authority in "
            "LIFEBOAT_REDIS_CA_FILE"
        )
    return url


def has_password(url: str) -> bool:
    """Return whether a URL says which password to use, if only that it is empty."""
    return urlsplit(url).password is not None


def with_password(url: str, password: str) -> str:
    """Return the URL with a password."""
    parts = urlsplit(url)
    user, _, address = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{address}"))


def check_authority(file: Path) -> None:
    """Raise ValueError if a file holds no certificates; the message says why."""
    try:
        ssl.create_default_context().load_verify_locations(file)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or "it holds no certificate in PEM"
        raise ValueError(f"{file} cannot be read: {reason}") from None


def _expected(found: str) -> str:
    return (
        f"expected a URL like redis://host:6379/0 or rediss://user:password@host:6379/0, found "
        f"{found}; write special characters of a password as %XX"
    )
