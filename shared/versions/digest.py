"""The digest that ends a manifest: a hash of the bytes before it, keyed where there is a key.

The last field of the file is `"digest": "sha256:<hex>"`, or `"hmac-sha256:<hex>"` with a key. It is
checked before anything is parsed, over the very bytes that are then parsed.
"""

import hashlib
import hmac
import re

from pydantic import SecretStr

_FIELD = re.compile(rb',\n  "digest": "((?:hmac-)?sha256):([0-9a-f]{64})"\n}\Z')
_HASHED, _SIGNED = "sha256", "hmac-sha256"


class DigestWrong(ValueError):
    """Raised with what is wrong with a manifest's digest, and what to do."""


def add(text: bytes, key: SecretStr | None) -> bytes:
    """A JSON object without a digest -> the same, with one of its bytes as its last field."""
    body = text.rstrip().removesuffix(b"}").rstrip()
    algorithm = _HASHED if key is None else _SIGNED
    field = f',\n  "digest": "{algorithm}:{_digest(body, key)}"\n}}'
    return body + field.encode()


def check(content: bytes, key: SecretStr | None) -> bytes:
    """The JSON object without its digest, if that is right.

    Without a key, one that has no digest at all is taken as it is: it was written before there were
    digests. One that is signed is refused, as nothing but the key tells whether it is whole.

    Raises:
        DigestWrong: the digest is wrong, or not of the kind that the key asks for.
    """
    found = _FIELD.search(content)
    algorithm = found[1].decode() if found else None
    if key is not None and algorithm != _SIGNED:
        raise DigestWrong(
            "is not signed, and LIFEBOAT_SIGNING_KEY is set. If you trust what is on the volume, "
            "`make sign` signs it"
        )
    if key is None and algorithm == _SIGNED:
        raise DigestWrong(
            "is signed, and cannot be checked without the key: set LIFEBOAT_SIGNING_KEY"
        )
    if found is None:
        return content
    body = content[: found.start()]
    if not hmac.compare_digest(_digest(body, key).encode(), found[2]):
        raise DigestWrong(
            "is damaged: its digest is that of other content"
            if key is None
            else "is damaged, or signed with another key than LIFEBOAT_SIGNING_KEY"
        )
    return body + b"\n}"


def is_signed(content: bytes) -> bool:
    """Whether it says that it is, rightly or not."""
    found = _FIELD.search(content)
    return found is not None and found[1].decode() == _SIGNED


def _digest(body: bytes, key: SecretStr | None) -> str:
    if key is None:
        return hashlib.sha256(body).hexdigest()
    return hmac.new(key.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
