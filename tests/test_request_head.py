"""The head of a request at the ASGI door: what llhttp would let through."""

from __future__ import annotations

import pytest

from gateway.errors import BadRequest, GatewayError
from gateway.framing import ExpectationFailed, HeadersTooLarge, UnsupportedTransferCoding, UriTooLong
from gateway.web.request_head import RequestHead

CHUNKED = (b"Transfer-Encoding", b"chunked")


def head(*headers: tuple[bytes, bytes], target: bytes = b"/events", version: str = "1.1") -> RequestHead:
    made = RequestHead()
    made.extend_target(b"POST", target)
    for name, value in headers:
        made.add(name, value)
    made.check(version)
    return made


REFUSED = {
    "two content types": ([(b"Content-Type", b"a/b"), (b"content-type", b"a/b")], BadRequest),
    "an unknown coding": ([(b"Transfer-Encoding", b"x, chunked")], UnsupportedTransferCoding),
    "chunked twice": ([CHUNKED, CHUNKED], BadRequest),
    "chunked not last": ([(b"Transfer-Encoding", b"chunked, gzip")], BadRequest),
    "no chunked": ([(b"Transfer-Encoding", b"gzip")], BadRequest),
    "identity only": ([(b"Transfer-Encoding", b"identity")], BadRequest),
    "a length beside": ([CHUNKED, (b"Content-Length", b"1")], BadRequest),
    "another expectation": ([(b"Expect", b"100-continue, x")], ExpectationFailed),
    "a control character": ([(b"X-A", b"a\x7f")], BadRequest),
    "a long header": ([(b"X-A", b"a" * 8_184)], HeadersTooLarge),
    "many headers": ([(b"X-A", b"a")] * 101, HeadersTooLarge),
    "many that are left out": ([(b"X_A", b"a")] * 101, HeadersTooLarge),
}


@pytest.mark.parametrize(("headers", "kind"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(headers: list[tuple[bytes, bytes]], kind: type[GatewayError]) -> None:
    with pytest.raises(kind):
        head(*headers)


@pytest.mark.parametrize("version", ["0.9", "2.0"])
def test_another_version_is_refused(version: str) -> None:
    with pytest.raises(BadRequest):
        head(version=version)


def test_chunks_need_http_1_1() -> None:
    with pytest.raises(BadRequest):
        head(CHUNKED, version="1.0")


@pytest.mark.parametrize("target", [b"/\xc3\xa9", b"/a b", b"/a\x7f"])
def test_what_must_be_percent_encoded_is_refused(target: bytes) -> None:
    with pytest.raises(BadRequest):
        head(target=target)


def test_the_limits_themselves_are_kept() -> None:
    longest = 4_094 - len(b"POST  HTTP/1.1")
    head(*[(b"X-A", b"a")] * 99, (b"X-A", b"a" * 8_183), target=b"/" * longest)
    with pytest.raises(UriTooLong):
        head(target=b"/" * (longest + 1))


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/events?a=%20#c", "/events", b"a=%20"),
        (b"/events/incidents/a%2Fb%ff", "/events/incidents/a/b\ufffd", b""),
        (b"//events?", "//events", b""),
        (b"http://x:1/events?a", "/events", b"a"),
        (b"x:80", "80", b""),
        (b"*", "*", b""),
    ],
)
def test_a_target_is_split(target: bytes, path: str, query: bytes) -> None:
    split = head(target=target).split_target()
    assert (split[0], split[2]) == (path, query)


def test_a_target_that_is_no_url_is_refused() -> None:
    with pytest.raises(BadRequest):
        head(target=b"http://[").split_target()


def test_a_trailer_is_no_header() -> None:
    made = head((b"X-A", b" a\t"))
    made.add(b"Authorization", b"Bearer a", kept=False)
    assert made.headers == [(b"x-a", b"a")]
