"""JSON read strictly: what two readers could read differently is refused; what is kept, is kept exactly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import strict_json
from gateway.errors import (
    DuplicateKey,
    InvalidEncoding,
    MalformedJson,
    NumberOutOfRange,
    Refusal,
    TooComplex,
    TooDeep,
)


def refusal(text: bytes, pointer: str = "") -> Refusal:
    with pytest.raises(Refusal) as caught:
        strict_json.parse(text, pointer)
    return caught.value


def nested(levels: int) -> bytes:
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param(b"", MalformedJson, id="empty"),
        pytest.param(b" \t\r\n", MalformedJson, id="white space only"),
        pytest.param(b"{", MalformedJson, id="cut short"),
        pytest.param(b"{} {}", MalformedJson, id="two texts"),
        pytest.param(b"{}\n{}", MalformedJson, id="one text a line"),
        pytest.param(b"1 x", MalformedJson, id="trailing text"),
        pytest.param(b"{}\x00", MalformedJson, id="trailing NUL"),
        pytest.param(b"[1,]", MalformedJson, id="trailing comma"),
        pytest.param(b"/* hi */ {}", MalformedJson, id="comment"),
        pytest.param(b"{} // hi", MalformedJson, id="comment after"),
        pytest.param(b"{'a': 1}", MalformedJson, id="single quotes"),
        pytest.param(b"{a: 1}", MalformedJson, id="bare name"),
        pytest.param(b'"a\nb"', MalformedJson, id="raw line end in a string"),
        pytest.param(b'"\\x41"', MalformedJson, id="no such escape"),
        pytest.param(b"01", MalformedJson, id="leading zero"),
        pytest.param(b"+1", MalformedJson, id="leading plus"),
        pytest.param(b".5", MalformedJson, id="leading point"),
        pytest.param(b"1.", MalformedJson, id="trailing point"),
        pytest.param(b"0x10", MalformedJson, id="hexadecimal"),
        pytest.param(b"True", MalformedJson, id="python"),
        pytest.param(b"NaN", MalformedJson, id="NaN"),
        pytest.param(b"[Infinity]", MalformedJson, id="Infinity"),
        pytest.param(b'{"a":-Infinity}', MalformedJson, id="-Infinity"),
        pytest.param("\xa0{}".encode(), MalformedJson, id="no-break space"),
        pytest.param(b"\xef\xbb\xbf{}", MalformedJson, id="byte order mark"),
        pytest.param("{}".encode("utf-16"), InvalidEncoding, id="UTF-16"),
        pytest.param("{}".encode("utf-16-be"), InvalidEncoding, id="UTF-16 without mark"),
        pytest.param("{}".encode("utf-16-le"), InvalidEncoding, id="little-endian UTF-16 without mark"),
        pytest.param("{}".encode("utf-32-be"), InvalidEncoding, id="UTF-32 without mark"),
        pytest.param(b'"\xe9"', InvalidEncoding, id="Latin-1"),
        pytest.param(b'"\xc0\xaf"', InvalidEncoding, id="overlong"),
        pytest.param(b'"\xed\xa0\x80"', InvalidEncoding, id="a surrogate in UTF-8"),
        pytest.param(b'"\xf4\x90\x80\x80"', InvalidEncoding, id="beyond Unicode"),
        pytest.param(b'"\\ud800"', InvalidEncoding, id="lone high surrogate"),
        pytest.param(b'"\\udc00\\ud800"', InvalidEncoding, id="surrogates the wrong way round"),
        pytest.param(b'{"\\udfff":1}', InvalidEncoding, id="lone surrogate in a name"),
        pytest.param(b"9223372036854775808" * 2, NumberOutOfRange, id="38 digits"),
        pytest.param(b"18446744073709551616", NumberOutOfRange, id="2**64"),
        pytest.param(b"-9223372036854775809", NumberOutOfRange, id="-2**63 - 1"),
        pytest.param(b"1" * 5_000, NumberOutOfRange, id="5000 digits"),
        pytest.param(b"[1e999]", NumberOutOfRange, id="1e999"),
        pytest.param(b'{"a":-1e309}', NumberOutOfRange, id="-1e309"),
        pytest.param(b'{"a":1,"a":1}', DuplicateKey, id="same name, same value"),
        pytest.param(nested(65), TooDeep, id="65 objects"),
        pytest.param(b"[" * 65 + b"]" * 65, TooDeep, id="65 arrays"),
        pytest.param(b"[" * 100_000, TooDeep, id="100000 arrays cut short"),
        pytest.param(json.dumps([0] * 10_001).encode(), TooComplex, id="10001 items"),
        pytest.param(json.dumps(dict.fromkeys(map(str, range(10_001)))).encode(), TooComplex, id="members"),
        pytest.param(json.dumps({"a": {"n" * 1_025: 1}}).encode(), TooComplex, id="name of 1025"),
        pytest.param(json.dumps({"é" * 513: 1}).encode(), TooComplex, id="name of 1026 bytes"),
    ],
)
def test_a_text_that_is_refused(text: bytes, kind: type[Refusal]) -> None:
    refused = refusal(text)
    assert type(refused) is kind
    assert len(refused.problems) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(b"9223372036854775807", 2**63 - 1, id="2**63 - 1"),
        pytest.param(b"-9223372036854775808", -(2**63), id="-2**63"),
        pytest.param(b"18446744073709551615", 2**64 - 1, id="2**64 - 1"),
        pytest.param(b"1.7976931348623157e308", 1.7976931348623157e308, id="greatest double"),
        pytest.param(b"1e-999", 0.0, id="too small to hold"),
        pytest.param(b"[1, 1.0, 1e0]", [1, 1.0, 1.0], id="one"),
        pytest.param(b"null", None, id="null"),
        pytest.param(b' \r\n\t{ "a" : [ ] } ', {"a": []}, id="white space"),
        pytest.param(b'"\\ud83d\\ude00 \\u0000 \\/"', "\U0001f600 \x00 /", id="escapes"),
        pytest.param('{"é":"ü"}'.encode(), {"é": "ü"}, id="not ASCII"),
        pytest.param(b'"' + b"[" * 100 + b'\\"{"', "[" * 100 + '"{', id="brackets in a string"),
        pytest.param(b'["\\\\", [[]]]', ["\\", [[]]], id="a backslash before a quote"),
        pytest.param(b'{"":1}', {"": 1}, id="empty name"),
    ],
)
def test_a_text_that_is_read(text: bytes, value: Any) -> None:
    assert strict_json.parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(nested(64), id="64 objects"),
        pytest.param(b"[" * 64 + b"]" * 64, id="64 arrays"),
        pytest.param(b"[" + b",".join([b"[[]]"] * 100) + b"]", id="100 arrays side by side"),
        pytest.param(json.dumps(list(range(10_000))).encode(), id="10000 items"),
        pytest.param(json.dumps({"n" * 1_024: 1}).encode(), id="name of 1024"),
        pytest.param(json.dumps({"é" * 512: 1}).encode(), id="name of 1024 bytes"),
    ],
)
def test_a_text_at_the_limits_is_read(text: bytes) -> None:
    assert strict_json.parse(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "pointers"),
    [
        (b'{"a":1,"a":2}', ["/a"]),
        (b'{"a":1,"\\u0061":2}', ["/a"]),
        (b'{"x":[0,{"b":1,"b":2}]}', ["/x/1/b"]),
        (b'{"a/b":1,"a/b":2}', ["/a~1b"]),
        (b'{"~":1,"~":2}', ["/~0"]),
        (b'{"":1,"":2}', ["/"]),
        (b'{"x":{"b":1,"b":2},"c":1,"d":0,"c":2}', ["/c", "/x/b"]),
        (b'[{"a":1,"a":2},{"a":1,"a":2}]', ["/0/a", "/1/a"]),
        (b'{"a":1,"a":2,"a":3}', ["/a"]),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
def test_every_name_that_stands_twice_is_pointed_at_once(text: bytes, pointers: list[str]) -> None:
    assert sorted(problem.pointer for problem in refusal(text).problems) == pointers


@pytest.mark.parametrize("text", [b"{", b'"\xff"', b'{"a":1,"a":2}', b"1e999", b"[" * 65, b'"\\ud800"'])
def test_a_pointer_begins_where_the_text_lies(text: bytes) -> None:
    assert all(problem.pointer.startswith("/3/data") for problem in refusal(text, "/3/data").problems)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        (b'{"a":{"b":[1,2,1e999,1e998]}}', "/a/b/2"),
        (b'{"z":NaN,"a":1e999}', "/z"),
        (b'{"a/b":{"~":18446744073709551616}}', "/a~1b/~0"),
        (b"-1e999", ""),
        (b'{"a":1e999,"a":1}', ""),
        (b'{"a":1e999', ""),
        (b'{"' + b"n" * 100_000 + b'":1e999}', ""),
    ],
    ids=range(7),
)
def test_a_bad_number_is_told_by_its_place(text: bytes, pointer: str) -> None:
    assert [problem.pointer for problem in refusal(text, "/0").problems] == [f"/0{pointer}"]


def test_a_name_of_any_length_is_not_sent_back() -> None:
    name = b'"' + b"n" * 100_000 + b'"'
    refused = refusal(b"{" + name + b":1," + name + b":2}")
    assert max(len(problem.pointer) for problem in refused.problems) <= strict_json.MAX_NAME + 1


# -- exactness ----------------------------------------------------------------------------------------------

UNCHANGED = [
    b"1.0",
    b"1E5",
    b"-0",
    b"-0.0",
    b"0.10",
    b"1e-7",
    b"100000000000000000.000000001",
    b"18446744073709551615",
    b'"\\u00e9\\/ \\" {  } "',
    '"é \u2028"'.encode(),
    b'{"a":[1,2.50,{"b":"  "}],"c":null}',
]


@pytest.mark.parametrize("text", UNCHANGED, ids=bytes.decode)
def test_a_text_without_white_space_is_not_changed_by_compacting(text: bytes) -> None:
    assert strict_json.compact(text) == text


@pytest.mark.parametrize("text", UNCHANGED, ids=bytes.decode)
def test_members_and_items_are_cut_out_exactly(text: bytes) -> None:
    assert strict_json.members(b'{ "other": 1, "data" :' + text + b"}")["data"] == text
    assert strict_json.items(b"[0, " + text + b"]") == [b"0", text]


@pytest.mark.parametrize("text", UNCHANGED, ids=bytes.decode)
def test_a_verbatim_text_is_written_exactly(text: bytes) -> None:
    assert strict_json.dump({"payload": strict_json.verbatim(text)}) == b'{"payload":' + text + b"}"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.sampled_from([None, 0, 1, 4]), st.booleans())
def test_compacting_takes_out_white_space_only(value: Any, indent: int | None, ascii_only: bool) -> None:
    spaced = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    tight = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only).encode()
    assert strict_json.compact(spaced) == tight


@given(json_values)
def test_what_any_strict_writer_writes_is_read_as_it_was_meant(value: Any) -> None:
    assert strict_json.parse(json.dumps(value).encode()) == value


@given(st.binary() | st.text().map(str.encode) | st.sampled_from(UNCHANGED).map(lambda t: t[:-1]))
def test_no_bytes_make_it_raise_anything_but_a_refusal(text: bytes) -> None:
    try:
        value = strict_json.parse(text)
    except Refusal as refused:
        assert refused.problems
    else:
        assert json.loads(text) == value
