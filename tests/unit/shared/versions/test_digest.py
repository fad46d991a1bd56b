import hashlib
import hmac
import json
import random

import pytest
from pydantic import SecretStr

from shared.versions import digest
from shared.versions.digest import DigestWrong
from tests.support.manifests import manifest

KEY, OTHER_KEY = SecretStr("a key of ours"), SecretStr("another's")
TEXT = manifest().model_dump_json(indent=2).encode()


def test_it_is_the_last_field_and_a_hash_of_the_bytes_before_it() -> None:
    content = digest.add(TEXT, None)
    body, _, field = content.rpartition(b",\n  ")
    assert field.decode() == f'"digest": "sha256:{hashlib.sha256(body).hexdigest()}"\n}}'
    assert list(json.loads(content))[-1] == "digest"
    assert TEXT.startswith(body)


def test_with_a_key_it_is_an_hmac() -> None:
    content = digest.add(TEXT, KEY)
    body, _, field = content.rpartition(b",\n  ")
    expected = hmac.new(KEY.get_secret_value().encode(), body, "sha256").hexdigest()
    assert field.decode() == f'"digest": "hmac-sha256:{expected}"\n}}'


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("text", [TEXT, TEXT + b"\n", b'{"a": {}}', '{\n  "ü": "}"\n}'.encode()])
def test_what_was_added_is_checked_and_taken_off(key: SecretStr | None, text: bytes) -> None:
    checked = digest.check(digest.add(text, key), *([key] if key else []))
    assert json.loads(checked) == json.loads(text)


def test_without_a_key_an_object_from_before_there_were_digests_is_taken_as_it_is() -> None:
    assert digest.check(TEXT) == TEXT


@pytest.mark.parametrize("content", [TEXT, digest.add(TEXT, None), b"", b"\xff"])
def test_with_a_key_what_is_not_signed_is_refused_with_what_to_do(content: bytes) -> None:
    with pytest.raises(DigestWrong, match="not signed.*make sign"):
        digest.check(content, KEY)


def test_what_is_signed_is_not_taken_unchecked_where_there_is_no_key() -> None:
    with pytest.raises(DigestWrong, match="set LIFEBOAT_SIGNING_KEY"):
        digest.check(digest.add(TEXT, KEY))


def test_another_key_is_refused_and_neither_is_told() -> None:
    with pytest.raises(DigestWrong, match="another key") as refused:
        digest.check(digest.add(TEXT, OTHER_KEY), KEY)
    for key in (KEY, OTHER_KEY):
        assert key.get_secret_value() not in str(refused.value)


def test_a_signature_of_any_of_the_keys_is_taken() -> None:
    for signer in (KEY, OTHER_KEY):
        assert digest.check(digest.add(TEXT, signer), KEY, OTHER_KEY)
        with pytest.raises(DigestWrong, match="LIFEBOAT_SIGNING_KEYS_OLD"):
            digest.check(digest.add(TEXT, signer), SecretStr("a third"), SecretStr("a fourth"))


def test_a_hash_is_no_signature_even_under_its_name() -> None:
    forged = digest.add(TEXT, None).replace(b'"sha256:', b'"hmac-sha256:')
    with pytest.raises(DigestWrong):
        digest.check(forged, KEY)


@pytest.mark.parametrize("key", [None, KEY])
def test_no_flipped_bit_gives_an_object_of_the_same_fields(key: SecretStr | None) -> None:
    content = digest.add(TEXT, key)
    fields = json.loads(TEXT).keys()
    for bit in random.Random(1).sample(range(len(content) * 8), 2000):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            checked = digest.check(bytes(damaged), *([key] if key else []))
        except DigestWrong:
            continue
        # The digest's own field is hit: it is left in, for the manifest to refuse.
        assert key is None
        try:
            assert json.loads(checked).keys() != fields
        except ValueError:
            continue


def test_it_is_known_what_says_that_it_is_signed() -> None:
    assert digest.is_signed(digest.add(TEXT, KEY))
    assert not digest.is_signed(digest.add(TEXT, None))
    assert not digest.is_signed(TEXT)
