"""URIs by RFC 3986; the formats of times are in test_timestamps.py."""

from __future__ import annotations

import pytest

from gateway.formats import FORMATS, is_uri, is_uri_reference
from tests.examples import SCHEMAS

URIS = [
    "http://example.com",
    "http://example.com/",
    "HTTP://EXAMPLE.COM:8080/a/b;c=d?e=f&g=/?#h/?",
    "http://user:pw@host:80/",
    "http://host:/",
    "http://127.0.0.1:9092",
    "http://[2001:db8::1]:80/a",
    "http://a/%41%e2%82%ac",
    "http://a/b:c@d",
    "http://a?q",
    "http://a#f",
    "file:///etc/hosts",
    "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
    "mailto:a@b.example",
    "tag:example.com,2026:x",
    "a+b-c.1:x",
    "a:/b//c",
    "crn:v1:bluemix:public:db:eu-gb:a/123::",
    "pkg:oci/app@sha256%3Aabc",
]
RELATIVE = [
    "",
    "a",
    "/",
    "/a/b",
    "a/b:c",
    "./1:2",
    "../x",
    "?q",
    "#f",
    "//host/a",
    "a//b",
    "%41",
    "a@b",
]
NEITHER = [
    " ",
    "a b",
    "http://a b/",
    "http://a/\n",
    "http://a/\t",
    "http://a\n",
    "http://a/%",
    "http://a/%4",
    "http://a/%zz",
    "http://a/#b#c",
    "http://a/<b>",
    "http://a/{b}",
    "http://a/^",
    "http://a/|",
    "http://a/`",
    "http://a\\b",
    'http://a/"',
    "http://exämple/",
    "http://a/\x00",
    "http://[::1/",
    "http://::1]/",
    "http://[::1]a/",
    "http://[zz]/",
    "http://a:80b/",
    "http://a:b:c/",
    "http://a@b@c/",
    "//a:80b/",
    "1a:b",
    "1:2",
    ":",
    ":a",
    "-a:b",
    "a[b]",
]


@pytest.mark.parametrize("text", URIS)
def test_a_uri(text: str) -> None:
    assert is_uri(text)
    assert is_uri_reference(text)


@pytest.mark.parametrize("text", RELATIVE, ids=repr)
def test_a_relative_reference_is_no_uri(text: str) -> None:
    assert is_uri_reference(text)
    assert not is_uri(text)


@pytest.mark.parametrize("text", NEITHER, ids=repr)
def test_a_text_that_is_neither(text: str) -> None:
    assert not is_uri(text)
    assert not is_uri_reference(text)


def test_every_format_that_a_schema_names_is_checked() -> None:
    named = {
        line.partition('"format": "')[2].partition('"')[0]
        for path in SCHEMAS.rglob("*.schema.json")
        for line in path.read_text(encoding="utf-8").splitlines()
        if '"format": "' in line
    }
    assert named == set(FORMATS)
