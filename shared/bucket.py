"""The URL of a bucket in Amazon S3, Google Cloud Storage or Azure Blob Storage, and its client."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

    BucketClient = AzureStore | GCSStore | S3Store

SCHEMES = ("s3", "gs", "az")
_EXPECTED = (
    "expected s3://bucket/prefix, gs://bucket/prefix or az://container/prefix (the prefix may be "
    "left out)"
)
_CONNECT_SECONDS = 1.0
"""A server that does not take the connection within this time takes none; the next poll retries."""


@dataclass(frozen=True, slots=True)
class BucketUrl:
    scheme: str
    bucket: str
    path: str
    """The prefix or the key, without slashes around it."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.path}" if self.path else "")


def is_url(place: str) -> bool:
    """Return whether a setting names a URL rather than a path."""
    return "://" in place


def parse(text: str) -> BucketUrl:
    """Return the parts of the URL of a bucket.

    Raises:
        ValueError: the text is not such a URL. The message does not repeat a password.
    """
    parts = urlsplit(text.strip())
    if parts.scheme not in SCHEMES:
        raise ValueError(f"{_EXPECTED}, found the scheme {parts.scheme[:20] or 'of none'!r}")
    if "@" in parts.netloc:
        raise ValueError(
            f"{_EXPECTED}, found credentials in the URL; leave them to the cloud's own variables "
            "or roles"
        )
    if parts.query or parts.fragment:
        raise ValueError(f"{_EXPECTED}, found a query or a fragment behind it")
    path = parts.path.strip("/")
    if not parts.netloc or any(part in ("", ".", "..") for part in path.split("/") if path):
        raise ValueError(f"{_EXPECTED}, found {text[:200]!r}")
    return BucketUrl(parts.scheme, parts.netloc, path)


def client(url: BucketUrl, endpoint: str | None, timeout_seconds: float) -> "BucketClient":
    """Return a client below the URL's prefix, which asks for nothing yet.

    Each of its calls ends within `timeout_seconds`, body included: it does not retry, because
    whoever asks again knows better whether to. Credentials are those of the cloud's own variables
    and roles.
    """
    # Here, because it takes 0.05 s and 20 MB, which no process without a bucket should spend. Once
    # it has been used, no process may fork: its threads would be missing in the child.
    from datetime import timedelta

    from obstore.store import AzureStore, GCSStore, S3Store

    given: dict[str, Any] = {
        "prefix": url.path or None,
        "client_options": {
            "timeout": timedelta(seconds=timeout_seconds),
            "connect_timeout": timedelta(seconds=min(_CONNECT_SECONDS, timeout_seconds)),
            # Of an endpoint that somebody names; those of the clouds have https.
            "allow_http": endpoint is not None and endpoint.startswith("http://"),
        },
        "retry_config": {"max_retries": 0},
    }
    match url.scheme:
        case "s3":
            return S3Store(url.bucket, **given, **_endpoint("endpoint", endpoint))
        case "gs":
            return GCSStore(url.bucket, **given, **_endpoint("base_url", endpoint))
        case _:
            return AzureStore(url.bucket, **given, **_endpoint("endpoint", endpoint))


def _endpoint(name: str, endpoint: str | None) -> dict[str, Any]:
    return {} if endpoint is None else {name: endpoint}
