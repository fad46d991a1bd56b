"""Where the training table comes from: a path or an http(s) URL."""

import base64
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from shared.errors import BadTrainingData

_TIMEOUT_SECONDS = 30
_SET = "Set LIFEBOAT_TRAINING_DATA to the path or the URL of the training table"


def shown_as(source: str) -> str:
    """Return the source without its secrets: a URL may hold a password, or a token in its query.

    Raises BadTrainingData.
    """
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise BadTrainingData(
            f"LIFEBOAT_TRAINING_DATA: expected a path or an http(s) URL, got neither: {error}"
        ) from error
    if not parts.netloc:
        return source
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="", fragment=""))


def fetch(source: str) -> bytes:
    """Return the content of a path or an http(s) URL. Raises BadTrainingData."""
    shown = shown_as(source)
    try:
        scheme = urlsplit(source).scheme
        if scheme and "://" in source and scheme not in ("http", "https"):
            raise BadTrainingData(
                f"{shown}: expected a path or an http(s) URL, got the scheme {scheme}"
            )
        if scheme in ("http", "https"):
            with urllib.request.urlopen(_request(source), timeout=_TIMEOUT_SECONDS) as answer:
                content: bytes = answer.read()
        else:
            content = Path(source).read_bytes()
    except urllib.error.HTTPError as error:
        raise BadTrainingData(
            f"{shown} could not be fetched: the server answered {error.code} {error.reason}"
        ) from error
    except http.client.InvalidURL as error:
        # The error's own text repeats the URL with its secrets.
        raise BadTrainingData(
            f"{shown} is not a valid URL: its port is not a number, or it contains a space or a "
            f"control character. {_SET}"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise BadTrainingData(f"{shown} could not be read: {reason}. {_SET}") from error
    if not content.strip():
        raise BadTrainingData(f"{shown} is empty; expected a CSV or Parquet table")
    return content


def _request(url: str) -> urllib.request.Request:
    """Return the request for a URL; urllib does not understand a user and password in one."""
    parts = urlsplit(url)
    credentials, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)))
    if credentials:
        token = base64.b64encode(unquote(credentials).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request
