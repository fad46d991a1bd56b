"""Where the training table comes from: a path, an http(s) URL, or a bucket."""

import base64
import http.client
import os
import re
import select
import stat
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import IO, Any
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from shared import bucket
from shared.bucket import BucketUrl
from shared.errors import BadTrainingData
from shared.settings import Settings
from worker.training.reading.packing import too_large

MOST_BYTES: int = Settings.model_fields["training_data_max_bytes"].default
TIMEOUT_SECONDS: float = Settings.model_fields["training_data_timeout_seconds"].default
"""For callers without settings."""

_SILENCE_SECONDS = 30
"""How long a server may say nothing."""
_WHOLE_SECONDS = 3600.0
"""How long an object may take; whoever fetches it looks at the clock, too."""
_LOOK_SECONDS = 0.5
"""How often a download looks whether to end."""
_AT_ONCE = 1 << 20
_SET = "Set LIFEBOAT_TRAINING_DATA to the path or the URL of the training table"
_SCHEMES = ("http", "https")
_EXPECTED = "expected a path, an http(s) URL, or the URL of a bucket (s3, gs, az)"


def shown_as(source: str) -> str:
    """Return the source without its secrets: a URL may hold a password, or a token in its query.

    Raises BadTrainingData.
    """
    try:
        parts = urlsplit(source)
    except ValueError as error:
        raise BadTrainingData(
            f"LIFEBOAT_TRAINING_DATA: {_EXPECTED}, got neither: {error}"
        ) from error
    if not parts.netloc:
        return source
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query="", fragment=""))


def fetch(
    source: str,
    most_bytes: int = MOST_BYTES,
    timeout_seconds: float = TIMEOUT_SECONDS,
    checkpoint: Callable[[], None] = lambda: None,
    endpoint: str | None = None,
) -> bytes:
    """Return the content of a path, an http(s) URL, or an object in a bucket.

    `checkpoint` is called twice a second; what it raises ends the download. `endpoint` is that of
    the bucket's server, if it is not the cloud's own. Raises BadTrainingData.
    """
    shown = shown_as(source)
    deadline = time.monotonic() + timeout_seconds

    def look() -> None:
        checkpoint()
        if time.monotonic() > deadline:
            raise BadTrainingData(
                f"{shown} took longer than the {timeout_seconds:g} s that "
                "LIFEBOAT_TRAINING_DATA_TIMEOUT_SECONDS allows; raise it, or bring the table nearer"
            )

    try:
        scheme = urlsplit(source).scheme
        if scheme and "://" in source and scheme not in _SCHEMES:
            if scheme not in bucket.SCHEMES:
                raise BadTrainingData(f"{shown}: {_EXPECTED}, got the scheme {scheme}")
            content = _download(_Object(source, endpoint, shown, most_bytes), look)
        elif scheme in _SCHEMES:
            content = _download(_Download(_request(source), shown, most_bytes), look)
        else:
            content = _read(source, shown, most_bytes, look)
    except urllib.error.HTTPError as error:
        reason = str(error.reason).partition("\n")[0]
        error.close()
        raise BadTrainingData(
            f"{shown} could not be fetched: the server answered {error.code} {reason}"
        ) from error
    except http.client.InvalidURL as error:
        # The error's own text repeats the URL with its secrets.
        raise BadTrainingData(
            f"{shown} is not a valid URL: its port is not a number, or its host contains a space "
            f"or a control character. {_SET}"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise BadTrainingData(f"{shown} could not be read: {cause}. {_SET}") from error
    if not content.strip():
        raise BadTrainingData(f"{shown} is empty; expected a CSV or Parquet table")
    return content


def _read(path: str, shown: str, most_bytes: int, look: Callable[[], None]) -> bytes:
    """Return the content of a file, or what comes out of a pipe."""
    # To open a pipe that nobody writes to would wait for ever otherwise.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_size > most_bytes:
            raise too_large(shown, most_bytes)
        chunks: list[bytes] = []
        size = 0
        while True:
            look()
            if not select.select([descriptor], [], [], _LOOK_SECONDS)[0]:
                continue
            chunk = file.read(_AT_ONCE)
            if chunk is None:
                continue
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
            if size > most_bytes:
                raise too_large(shown, most_bytes)


def _download(download: "_Reading", look: Callable[[], None]) -> bytes:
    download.start()
    try:
        while download.is_alive():
            download.join(_LOOK_SECONDS)
            look()
    finally:
        download.stop.set()
    if download.error is not None:
        raise download.error
    return b"".join(download.chunks)


class _Reading(threading.Thread):
    """Reads what lies across a network until it ends, is too large, or `stop` is set.

    In a thread, because a server that is silent holds a read, and a run must be able to end.
    """

    def __init__(self, shown: str, most_bytes: int) -> None:
        super().__init__(name="download", daemon=True)
        self.stop = threading.Event()
        self.chunks: list[bytes] = []
        self.error: Exception | None = None
        self._shown = shown
        self._most_bytes = most_bytes
        self._size = 0

    def run(self) -> None:
        try:
            self.read()
        except Exception as error:
            self.error = error

    def read(self) -> None:
        """Read all, by `keep`; whatever is raised becomes `error`."""
        raise NotImplementedError

    def keep(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self._size += len(chunk)
        if self._size > self._most_bytes:
            raise too_large(self._shown, self._most_bytes)


class _Object(_Reading):
    """Reads an object in a bucket."""

    def __init__(self, url: str, endpoint: str | None, shown: str, most_bytes: int) -> None:
        super().__init__(shown, most_bytes)
        self._url = bucket.parse(url)
        if not self._url.path:
            raise BadTrainingData(f"{shown}: expected the key of an object behind the bucket")
        self._endpoint = endpoint

    def read(self) -> None:
        import obstore
        from obstore.exceptions import BaseError

        folder, _, name = self._url.path.rpartition("/")
        beside = BucketUrl(self._url.scheme, self._url.bucket, folder)
        try:
            # The time-out of the client is for the whole object, and the run has one of its own.
            found = obstore.get(bucket.client(beside, self._endpoint, _WHOLE_SECONDS), name)
            for chunk in found.stream(min_chunk_size=_AT_ONCE):
                if self.stop.is_set():
                    return
                self.keep(bytes(chunk))
        except FileNotFoundError:
            raise BadTrainingData(f"{self._shown} is not there. {_SET}") from None
        except BaseError as error:
            said = str(error).partition("\n")[0][:200]
            raise BadTrainingData(f"{self._shown} could not be read: {said}. {_SET}") from error


class _Download(_Reading):
    """Reads an http(s) URL."""

    def __init__(self, request: urllib.request.Request, shown: str, most_bytes: int) -> None:
        super().__init__(shown, most_bytes)
        self._request = request

    def read(self) -> None:
        with _opener(self._request, self._shown).open(
            self._request, timeout=_SILENCE_SECONDS
        ) as answer:
            self._take(answer)

    def _take(self, answer: http.client.HTTPResponse) -> None:
        coding = (answer.headers.get("Content-Encoding") or "identity").strip().lower()
        if coding not in ("identity", "gzip", "x-gzip"):
            raise BadTrainingData(
                f"{self._shown}: the server sent the encoding {coding[:40]}, though none was asked "
                "for; expected the file as it is, or gzip"
            )
        while not self.stop.is_set() and (chunk := answer.read1(_AT_ONCE)):
            self.keep(chunk)
        # read1 does not say that the connection ended before the body.
        if answer.length:
            raise http.client.IncompleteRead(b"", answer.length)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to http or https; urllib would also follow one to ftp."""

    def __init__(self, shown: str) -> None:
        self._shown = shown

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any
    ) -> Any:
        location = str(headers.get("Location") or headers.get("URI") or "")
        scheme = urlsplit(urljoin(req.full_url, location)).scheme
        if scheme not in _SCHEMES:
            fp.close()
            raise BadTrainingData(
                f"{self._shown}: the server redirects to the scheme {scheme[:40]}; expected http "
                "or https"
            )
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener(request: urllib.request.Request, shown: str) -> urllib.request.OpenerDirector:
    """Return what opens http and https and nothing else."""
    opener = urllib.request.OpenerDirector()
    # A proxy does not reach this machine by the name of its loopback.
    nearby = urlsplit(request.full_url).hostname in ("localhost", "127.0.0.1", "::1")
    for handler in (
        urllib.request.ProxyHandler({} if nearby else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _Redirects(shown),
    ):
        opener.add_handler(handler)
    return opener


def _request(url: str) -> urllib.request.Request:
    """Return the request for a URL; urllib does not understand a user and password in one."""
    parts = urlsplit(url)
    credentials, _, host = parts.netloc.rpartition("@")
    if not host.isascii():
        name, colon, port = host.partition(":")
        host = f"{name.encode('idna').decode()}{colon}{port}"
    parts = parts._replace(netloc=host, path=_quoted(parts.path), query=_quoted(parts.query))
    request = urllib.request.Request(urlunsplit(parts))
    if credentials:
        token = base64.b64encode(unquote(credentials).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def _quoted(part: str) -> str:
    """Return a part of a URL with %XX in place of blanks and letters beyond ASCII."""
    kept = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", part)
    return quote(kept, safe="/%:@!$&'()*+,;=?~[]")
