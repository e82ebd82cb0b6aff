"""Bad input that only shows on the wire, as data: whole requests, as bytes.

What the HTTP server itself answers, before the gateway sees anything, has no problem type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.samples import EVENT

POST = "POST /events HTTP/1.1"
HOST, JSON = "Host: x", "Content-Type: application/json"
LENGTH = f"Content-Length: {len(EVENT)}"
HEAD = (HOST, JSON, LENGTH)
CHUNKED = "Transfer-Encoding: chunked"
CLOSED = 0  # in place of a status: no answer
CE = ("ce-specversion: 1.0", "ce-source: /s", "ce-type: t")


@dataclass(frozen=True, kw_only=True)
class Raw:
    number: int
    name: str
    request: bytes
    statuses: tuple[int, ...]
    type: str = ""  # of the problem document; none when the server answers

    @property
    def id(self) -> str:
        return f"row-{self.number:02}-{self.name.replace(' ', '-')}"


def request(line: str, *headers: str, body: bytes = EVENT) -> bytes:
    return "".join(f"{text}\r\n" for text in (line, *headers, "")).encode("latin-1") + body


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def chunked(body: bytes) -> bytes:
    return request(POST, HOST, JSON, CHUNKED, "Connection: close", body=body)


def by_the_server() -> Iterator[tuple[int, str, bytes, int | tuple[int, ...]]]:
    lengths = ["Content-Length: 51, 51", "Content-Length: -1", "Content-Length: +2", "Content-Length: x"]
    yield 1, "two lengths", request(POST, *HEAD, LENGTH), 400
    yield 1, "two different lengths", request(POST, *HEAD, "Content-Length: 3"), 400
    for number, length in enumerate(lengths, 2):
        yield number, length[16:], request(POST, HOST, JSON, length), 400
    yield 6, "length and chunked", request(POST, *HEAD, CHUNKED), 400
    yield 7, "unknown transfer coding", request(POST, HOST, JSON, "Transfer-Encoding: x"), 501
    headers = {
        "folding": "X-A: a\r\n b",
        "space before colon": "X-A : a",
        "NUL": "X-A: a\0b",
        "bare CR": "X-A: a\rb",
    }
    for name, header in headers.items():
        yield 12, name, request(POST, *HEAD, header), 400
    yield 13, "two hosts", request(POST, HOST, *HEAD), 400
    yield 15, "101 headers", request(POST, *HEAD, *(f"X-{n}: a" for n in range(101))), 431
    yield 15, "long header", request(POST, *HEAD, f"X-A: {'a' * 9_000}"), 431
    yield 16, "long request line", request(f"POST /events?{'a' * 5_000} HTTP/1.1", *HEAD), 414
    yield 17, "HTTP 0.9", b"GET /events\r\n\r\n", 400
    yield 17, "HTTP 2 line", request("POST /events HTTP/2.0", *HEAD), 400
    yield 17, "HTTP 2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400
    yield 17, "lower case method", request("post /events HTTP/1.1", *HEAD), 400
    tls = bytes.fromhex("16030100f4010000f00303") + bytes(range(200))
    yield 18, "TLS hello", tls, (400, CLOSED)
    yield 18, "random bytes", b"\x00\xff\x10" * 50, (400, CLOSED)
    yield 19, "unknown expectation", request(POST, *HEAD, "Expect: 200-ok"), 417


def by_the_gateway() -> Iterator[tuple[int, str, bytes, int, str]]:
    coded = request(POST, HOST, JSON, "Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")
    yield 8, "gzip then chunked", coded, 415, "unsupported-encoding"
    yield 9, "chunk size is no number", chunked(b"zz\r\nxx\r\n0\r\n\r\n"), 400, "malformed-body"
    yield 10, "chunks cut short", chunked(chunk(EVENT)), 400, "malformed-body"
    yield (
        11,
        "shorter than announced",
        request(POST, HOST, JSON, "Content-Length: 500"),
        400,
        "incomplete-body",
    )
    yield 14, "no host", request(POST, JSON, LENGTH), 400, "bad-request"
    yield 17, "authority form", request("CONNECT x:80 HTTP/1.1", HOST, body=b""), 404, "not-found"
    yield 20, "two slashes in front", request("POST //events HTTP/1.1", *HEAD), 404, "not-found"
    yield 20, "dot segments", request("POST /x/../events HTTP/1.1", *HEAD), 404, "not-found"
    yield 20, "NUL", request("POST /events%00 HTTP/1.1", *HEAD), 404, "not-found"
    too_long = request(POST, HOST, JSON, "Content-Length: 1073741824", body=b"")
    yield 22, "one GiB announced", too_long, 413, "too-large"
    yield 23, "chunked over the limit", chunked(chunk(b"x" * 2_000_000) + chunk(b"")), 413, "too-large"
    twice = "Content-Encoding: gzip"
    yield 25, "two headers", request(POST, *HEAD, twice, twice), 415, "unsupported-encoding"
    repeated = request(POST, *HEAD, *CE, "ce-id: a", "ce-specversion: 1.0")
    yield 58, "two specversions", repeated, 400, "unsupported-specversion"
    yield 58, "underscore", request(POST, *HEAD, *CE, "ce_id: a"), 400, "invalid-cloudevent"


def raw() -> Iterator[Raw]:
    for number, name, content, status in by_the_server():
        statuses = status if isinstance(status, tuple) else (status,)
        yield Raw(number=number, name=name, request=content, statuses=statuses)
    for number, name, content, status, type in by_the_gateway():
        yield Raw(number=number, name=name, request=content, statuses=(status,), type=type)


RAW = tuple(raw())
