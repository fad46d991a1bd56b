"""The bytes of the training table, from a path or a URL."""

import base64
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from shared.errors import BadTrainingData

_TIMEOUT_SECONDS = 30


def shown_as(source: str) -> str:
    """The source as it may be shown: a URL may carry a password, or a token in its query."""
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise BadTrainingData(f"LIFEBOAT_TRAINING_DATA is no path and no URL: {error}") from error
    if not parts.netloc:
        return source
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="", fragment=""))


def fetch(source: str) -> bytes:
    """The content of a path or an http(s) URL. Raises BadTrainingData."""
    shown = shown_as(source)
    try:
        scheme = urlsplit(source).scheme
        if scheme and "://" in source and scheme not in ("http", "https"):
            raise BadTrainingData(f"{shown} cannot be fetched: only http and https URLs can")
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
        # Its own text repeats the URL, with whatever secret that holds.
        raise BadTrainingData(
            f"{shown} is no valid URL: its port is no number, or it holds a space or a control "
            "character. LIFEBOAT_TRAINING_DATA says where the training table is"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise BadTrainingData(
            f"{shown} could not be read: {reason}. LIFEBOAT_TRAINING_DATA says where the training "
            "table is"
        ) from error
    if not content.strip():
        raise BadTrainingData(f"{shown} is empty")
    return content


def _request(url: str) -> urllib.request.Request:
    """urllib knows no user and password in a URL."""
    parts = urlsplit(url)
    credentials, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(urlunsplit(parts._replace(netloc=host)))
    if credentials:
        token = base64.b64encode(unquote(credentials).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request
