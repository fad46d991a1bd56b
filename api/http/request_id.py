"""The id of each request, in its log lines and in its answer: the client's own, or a new one."""

import itertools
import re
import secrets
from collections.abc import Iterable

from shared.runtime import log_context

HEADER = b"x-request-id"

_SOUND = re.compile(rb"[A-Za-z0-9._-]{1,64}")

# A random part for each process, and a number: a random id for each request would cost more.
_NEW = b"%s%%08x" % secrets.token_hex(6).encode()
_numbers = itertools.count(1)


def note_request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Gives the request whose headers these are its id, and all that is logged from here on."""
    for name, value in headers:
        if name == HEADER and _SOUND.fullmatch(value):
            request_id = value
            break
    else:
        request_id = _NEW % next(_numbers)
    log_context.request_id.set(request_id.decode())
    return request_id
