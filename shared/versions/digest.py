"""The digest at the end of a manifest: a hash of the bytes before it, keyed if there is a key.

The last field of the file is `"digest": "sha256:<hex>"`, or `"hmac-sha256:<hex>"` with a key. The
digest is checked before anything is parsed, over the very bytes that are then parsed.
"""

import hashlib
import hmac
import re

from pydantic import SecretStr

_FIELD = re.compile(rb',\n  "digest": "((?:hmac-)?sha256):([0-9a-f]{64})"\n}\Z')
_HASHED, _SIGNED = "sha256", "hmac-sha256"


class DigestWrong(ValueError):
    """Raised when a manifest's digest is wrong; says what is wrong and what to do."""


def add(text: bytes, key: SecretStr | None) -> bytes:
    """Return a JSON object with the digest of its bytes as an additional, last field."""
    body = text.rstrip().removesuffix(b"}").rstrip()
    algorithm = _HASHED if key is None else _SIGNED
    field = f',\n  "digest": "{algorithm}:{_digest(body, key)}"\n}}'
    return body + field.encode()


def check(content: bytes, *keys: SecretStr) -> bytes:
    """Check the digest and return the JSON object without it.

    With keys, one of them must have signed the object. Without a key, an object that has no digest
    at all is accepted as it is: it was written before there were digests. A signed object is
    refused, because only the key tells whether it is whole.

    Raises:
        DigestWrong: the digest is wrong, or not of the kind that a key requires.
    """
    found = _FIELD.search(content)
    algorithm = found[1].decode() if found else None
    if keys and algorithm != _SIGNED:
        raise DigestWrong(
            "is not signed, although LIFEBOAT_SIGNING_KEY is set; if you trust the models volume, "
            "run `make sign`"
        )
    if not keys and algorithm == _SIGNED:
        raise DigestWrong(
            "is signed and cannot be checked without the key; set LIFEBOAT_SIGNING_KEY"
        )
    if found is None:
        return content
    body = content[: found.start()]
    # All are tried, so that the time does not tell which one it was.
    if not any([_matches(body, key, found[2]) for key in keys or (None,)]):
        raise DigestWrong(
            "is damaged, or signed with another key than LIFEBOAT_SIGNING_KEY and "
            "LIFEBOAT_SIGNING_KEYS_OLD; restore it from a backup, or add the key that signed it "
            "to the old keys"
            if keys
            else "is damaged: its content is not what its digest states; restore it from a backup"
        )
    return body + b"\n}"


def is_signed(content: bytes) -> bool:
    """Return whether a manifest claims to be signed, rightly or not."""
    found = _FIELD.search(content)
    return found is not None and found[1].decode() == _SIGNED


def _matches(body: bytes, key: SecretStr | None, digest: bytes) -> bool:
    return hmac.compare_digest(_digest(body, key).encode(), digest)


def _digest(body: bytes, key: SecretStr | None) -> str:
    if key is None:
        return hashlib.sha256(body).hexdigest()
    return hmac.new(key.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
