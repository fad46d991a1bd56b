"""Why Redis cannot be used: in words, and said once for each cause."""

import logging
import re

import redis

_LONGEST = 300
_NO_ANSWER = redis.ConnectionError, redis.TimeoutError, OSError

_ADVICE = {
    "READONLY": "Redis is a replica and takes no changes. Wait for the end of the failover, or "
    "name the primary in LIFEBOAT_REDIS_URL",
    "OOM": "the memory of Redis is full. Raise its maxmemory, or remove what others keep in it",
    "NOPERM": "the user of Redis lacks a right. docs/operations.md lists the rights that are "
    "needed",
    "NOAUTH": "Redis needs a password. Set LIFEBOAT_REDIS_URL or LIFEBOAT_REDIS_PASSWORD_FILE",
    "WRONGPASS": "Redis does not accept the user or the password. Check LIFEBOAT_REDIS_URL and "
    "LIFEBOAT_REDIS_PASSWORD_FILE",
    "LOADING": "Redis is reading its data from the disk. Wait until it has",
    "MISCONF": "Redis cannot write to its disk. Look into its log",
    "UNBLOCKED": "Redis has become a replica. Wait for the end of the failover",
    "MASTERDOWN": "Redis is a replica that has lost its primary. Wait for the failover",
}


_CODE = re.compile(rf"\b({'|'.join(_ADVICE)})\b")
"""Redis's word for what is wrong, wherever it stands: a script's error has it in the middle."""


def cause(error: BaseException) -> str:
    """Return what is wrong with Redis, what it said, and what to do, as one line without a dot.

    Never with a password: neither Redis nor the clients quote one.
    """
    origin = _origin(error)
    said = _one_line(str(origin) or type(origin).__name__)
    # redis-py takes the word off the text of some errors and keeps it beside the text.
    found = _CODE.search(f"{getattr(origin, 'status_code', '')} {said}")
    if found is not None:
        return f"{_ADVICE[found[1]]} ({said})"
    # Of a script the answer has no such word.
    if "ACL failure" in said:
        return f"{_ADVICE['NOPERM']} ({said})"
    if "CERTIFICATE_VERIFY_FAILED" in said and "mismatch" in said:
        return (
            f"the certificate of Redis is for another host than LIFEBOAT_REDIS_URL names ({said})"
        )
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return (
            "the certificate of Redis is not trusted. Name the certificate of its authority in "
            f"LIFEBOAT_REDIS_CA_FILE ({said})"
        )
    if isinstance(origin, redis.ResponseError):
        return f"Redis refused a command ({said})"
    return f"Redis does not answer ({said})"


def public_cause(error: BaseException) -> str:
    """Return the cause without the address of Redis, which a client has no use for."""
    found = cause(error)
    return found.partition(" (")[0] if isinstance(_origin(error), _NO_ANSWER) else found


class Outage:
    """Says why Redis cannot be used: once for each cause, and once that it is over."""

    def __init__(self, log: logging.Logger, meanwhile: str) -> None:
        """`meanwhile` is what this process does until the outage is over."""
        self._log = log
        self._meanwhile = meanwhile
        self.cause: str | None = None
        self.failures = 0
        """How many calls have failed one after the other."""

    def note(self, error: BaseException) -> None:
        """Note that a call failed; say so unless it was said."""
        found = cause(error)
        self.failures += 1
        if self.cause is None or _advice(found) != _advice(self.cause):
            self._log.warning("%s; %s", found, self._meanwhile)
        self.cause = found

    def end(self) -> None:
        """Note that a call succeeded; say so if one had failed before."""
        if self.cause is not None:
            self._log.info("Redis answers again")
        self.cause, self.failures = None, 0


def _advice(found: str) -> str:
    """Return a cause without what Redis said, if that can differ: a script says the same longer.

    Which right is missing is a cause of its own.
    """
    known = (advice for word, advice in _ADVICE.items() if word != "NOPERM")
    return next((advice for advice in known if found.startswith(advice)), found)


def _origin(error: BaseException) -> BaseException:
    """Return the error that Celery or a queue has wrapped."""
    while isinstance(error.__cause__, redis.RedisError | OSError) and not isinstance(
        error, redis.RedisError
    ):
        error = error.__cause__
    return error


def _one_line(text: str) -> str:
    printable = "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST])
    return printable + ("..." if len(text) > _LONGEST else "")
