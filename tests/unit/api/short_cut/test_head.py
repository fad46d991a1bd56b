import pytest

from api import limits
from api.http.key import KeyCheck
from api.short_cut.head import Head, Heads


def head(*lines: bytes, path: bytes = b"/predict", length: bytes = b"2") -> bytes:
    first = [b"POST %s HTTP/1.1" % path, b"Host: a", b"Content-Length: " + length]
    return b"\r\n".join([*first, *lines, b"", b""])


@pytest.fixture
def heads() -> Heads:
    return Heads(["/predict", "/v2/models/lifeboat/infer"], KeyCheck(), lambda path, headers: True)


def test_a_usual_head_says_which_request_it_is(heads: Heads) -> None:
    usual = head(b"X-Request-ID: mine", b"Inference-Header-Content-Length: 1")
    assert heads.find(usual + b"[]") == Head("/predict", len(usual) + 2, len(usual), b"mine", "1")
    infer = head(path=b"/v2/models/lifeboat/infer")
    found = heads.find(infer)
    assert found == Head("/v2/models/lifeboat/infer", len(infer) + 2, len(infer), None, None)


@pytest.mark.parametrize(
    "unusual",
    [
        head()[:-1],
        head().replace(b"POST", b"post"),
        head().replace(b"POST", b"PUT"),
        head().replace(b"HTTP/1.1", b"HTTP/1.0"),
        head().replace(b"HTTP/1.1", b"HTTP/1.1 "),
        head(path=b"/predict?"),
        head(path=b"//predict"),
        head(b"Transfer-Encoding: chunked"),
        head(b"Transfer-Encoding: identity"),
        head(b"Expect: 100-continue"),
        head(b"Upgrade: h2c"),
        head(b"Upgrade: h2c", b"Connection: upgrade"),
        head(b"Trailer: x"),
        head(b"Connection: close"),
        head(b"Connection: keep-alive, close"),
        head(b"Content-Length: 2"),
        head(b"Content-Length: 3"),
        head(length=b""),
        head(length=b"+2"),
        head(length=b"-2"),
        head(length=b"2, 2"),
        head(length=b"2 2"),
        head(length=b"0x2"),
        head(length=b"9" * 40),
        head(b"Folded: 1", b" 2"),
        head(b"Nul: \x00"),
        head(b"Bad Name: 1"),
        head(b": 1"),
        head(b"No colon"),
        head().replace(b"\r\n", b"\n"),
        b"\r\n" + head(),
        head(b"X: " + b"x" * limits.KNOWN_HEAD_BYTES),
        b"",
        b"\r\n\r\n",
    ],
)
def test_an_unusual_head_is_nobodys_to_guess(heads: Heads, unusual: bytes) -> None:
    # The second time, as the first time.
    for _ in range(2):
        found = heads.find(unusual + b"[]")
        assert found is None


def test_blanks_around_a_value_belong_to_no_value(heads: Heads) -> None:
    found = heads.find(head(length=b" \t2"))
    assert found is not None and found.length - found.body_start == 2


def test_a_key_is_checked_with_each_head() -> None:
    keyed = Heads(["/predict"], KeyCheck(["sesame"], for_everything=True), lambda *_: True)
    assert keyed.find(head(b"X-API-Key: sesame")) is not None
    assert keyed.find(head(b"X-API-Key: wrong")) is None
    assert keyed.find(head()) is None


def test_what_is_remembered_has_a_greatest_size(heads: Heads) -> None:
    for i in range(2 * limits.KNOWN_HEADS + 1):
        assert heads.find(head(b"X: %d" % i)) is not None
        assert len(heads._known) <= limits.KNOWN_HEADS
