"""The calls to a running API that start a training run, follow it, and read its result."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx

from shared.jobs.job import Job
from shared.versions.manifest import Manifest

_TIMEOUT = httpx.Timeout(10, read=30)
"""Seconds. A live event stream sends a sign of life every 15 s."""

_PATIENCE_SECONDS = 60.0
"""How long a run may be out of sight: longer than a restart of the API and of Redis takes."""
_RETRY_SECONDS = 0.5


class CallFailed(Exception):
    """Raised when the API does not answer, or refuses a call; the message says what to do."""


class JobClient:
    """A client of the API at `url`. Every method raises CallFailed."""

    def __init__(self, url: str, *, requested_by: str, api_key: str | None) -> None:
        headers = {"X-Requested-By": requested_by}
        if api_key is not None:
            headers["X-API-Key"] = api_key
        self.url = url
        try:
            # Directly, whatever http_proxy says: a Lifeboat is on this machine or in one's network,
            # and a proxy of another kind would end this command. SSL_CERT_FILE still counts.
            self._http = httpx.Client(
                base_url=url,
                headers=headers,
                timeout=_TIMEOUT,
                trust_env=False,
                verify=httpx.create_ssl_context(trust_env=True) if "https" in url[:5] else True,
            )
        except httpx.InvalidURL as error:
            raise CallFailed(
                f"expected a URL such as http://127.0.0.1:8000, got {url} ({error})"
            ) from error

    def start(self, *, force: bool) -> Job:
        """Start a run, or return the job that is already queued or running."""
        started = self._call("PUT", "/run-pipeline", {"force": str(force).lower()})
        return self.job(started["job_id"])

    def job(self, job_id: str) -> Job:
        return Job.model_validate(self._call("GET", f"/jobs/{job_id}"))

    def follow(self, job_id: str) -> Iterator[Job | str]:
        """Yield the job at each change until it has ended, and a sentence while it cannot be seen.

        Waits for an API or a Redis server that is restarting.
        """
        after = "0"
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                with self._http.sse(
                    f"/jobs/{job_id}/events", headers={"Last-Event-ID": after}
                ) as events:
                    self._refuse_error(events.response, passing=503)
                    for event in events:
                        give_up_at = time.monotonic() + _PATIENCE_SECONDS
                        after = event.id or after
                        job = Job.model_validate_json(event.data)
                        yield job
                        if job.has_ended:
                            return
                trouble = "the API is stopping"
            except httpx.TransportError as error:
                trouble = f"{self.url} does not answer ({_reason(error)})"
            if time.monotonic() > give_up_at:
                raise CallFailed(
                    f"{trouble}, for {_PATIENCE_SECONDS:g} s now. The run goes on unwatched; "
                    f"GET {self.url}/jobs/{job_id} shows it"
                )
            yield f"{trouble}; trying again"
            time.sleep(_RETRY_SECONDS)

    def version(self, model_version: str) -> Manifest:
        """Return what is known of a version."""
        return Manifest.model_validate(self._call("GET", f"/models/{model_version}"))

    def _call(self, method: str, path: str, params: dict[str, str] | None = None) -> Any:
        try:
            answer = self._http.request(method, path, params=params)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise CallFailed(
                f"{self.url} does not answer ({_reason(error)}). Start Lifeboat with `make run`, "
                "or give the address of a running Lifeboat with --url"
            ) from error
        self._refuse_error(answer)
        try:
            return answer.json()
        except ValueError as error:
            raise self._not_lifeboat(answer) from error

    def _refuse_error(self, answer: httpx.Response, passing: int = 0) -> None:
        """Raise CallFailed for an error, and TransportError for the temporary status `passing`."""
        if answer.is_success:
            return
        answer.read()
        try:
            detail = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):
            raise self._not_lifeboat(answer) from None
        if answer.status_code == passing:
            raise httpx.TransportError(detail)
        if answer.status_code in (401, 403):
            detail += ". This command reads the key from LIFEBOAT_API_KEY or LIFEBOAT_API_KEY_FILE"
        raise CallFailed(detail)

    def _not_lifeboat(self, answer: httpx.Response) -> CallFailed:
        return CallFailed(
            f"{self.url} answers {answer.status_code} to {answer.request.method} "
            f"{answer.request.url.path}, as Lifeboat does not; give its address with --url"
        )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
