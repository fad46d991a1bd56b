"""The URL of a bucket, as settings have it."""

import pytest

from shared import bucket
from shared.bucket import BucketUrl


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://models", BucketUrl("s3", "models", "")),
        ("s3://models/", BucketUrl("s3", "models", "")),
        ("gs://models/a/b", BucketUrl("gs", "models", "a/b")),
        (" az://container/titanic/ ", BucketUrl("az", "container", "titanic")),
    ],
)
def test_a_url_has_a_bucket_and_perhaps_a_prefix(text: str, expected: BucketUrl) -> None:
    assert bucket.parse(text) == expected
    assert bucket.parse(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://models/a",
        "models://a",
        "s3:///a",
        "s3://user:secret@models/a",
        "s3://models/a?token=secret",
        "s3://models/a#b",
        "s3://models/a//b",
        "s3://models/../a",
    ],
)
def test_another_url_is_refused_without_repeating_a_secret(text: str) -> None:
    with pytest.raises(ValueError, match="expected s3://bucket/prefix") as refused:
        bucket.parse(text)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("path", ["models", "/srv/models", "~/models", "C:\\models"])
def test_a_path_is_not_a_url(path: str) -> None:
    assert not bucket.is_url(path)
