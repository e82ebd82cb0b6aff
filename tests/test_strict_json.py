"""JSON read strictly: what two readers could read differently is refused; what is kept, is kept exactly."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from gateway import exact_json, strict_json
from gateway.errors import (
    DuplicateKey,
    InvalidEncoding,
    MalformedJson,
    NumberOutOfRange,
    Refusal,
    TooComplex,
    TooDeep,
)
from tests.examples import Example, examples
from tests.mutations import scraps


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


# -- the fast way and the sure way --------------------------------------------------------------------------

spelt_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats(allow_nan=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
# What writers differ in, and what is read differently by readers.
SPELLINGS = [
    (b"/", b"\\/"), (b"a", b"\\u0061"), (b"e", b"E"), (b":", b" : "), (b",", b",\n"), (b"1", b"1.0"),
    (b"1", b"1e0"), (b"0", b"-0"), (b"0", b"0.00"), (b"1", b"10000000000000000000000000"), (b"5", b"1e400"),
    (b"2", b"0.1000000000000000055511151231257827"), (b'"', b'"a":1,"a'), (b"{", b'{"a":0,"\\u0061":1,'),
    (b"[", b"[" * 33), (b"]", b"]" * 33), (b"{", b'{"":{'), (b"}", b"}}"), (b'"', b"\\ud800"), (b"1", b"NaN"),
    (b'"', b'"' + b"n" * 1_030), (b'"', b'"\\"' + b"n" * 1_030), (b"1", b"123456789012345678"), (b":", b"::"),
    (b"[", b"[" + b"0," * 10_000), (b"1", b"18446744073709551616"),
    (b'"', b'"[[{{\\"}'), (b"{", b"\xef\xbb\xbf{"),
]  # fmt: skip


@st.composite
def texts(draw: DrawFn) -> bytes:
    """A JSON text in some writer's spelling, or nearly one."""
    value = draw(spelt_values | st.sampled_from(WRITTEN))
    ascii, tight = draw(st.booleans()), draw(st.booleans())
    text = json.dumps(value, ensure_ascii=ascii, separators=(",", ":") if tight else None)
    written = text.encode("utf-8", "surrogatepass")
    for before, after in draw(st.lists(st.sampled_from(SPELLINGS), max_size=3)):
        at = draw(st.integers(0, 5))
        head, *rest = written.split(before, at)
        written = before.join([head, *rest[:-1], rest[-1].replace(before, after, 1)]) if rest else head
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(written)))
        written = written[:at] + draw(scraps) + written[at + draw(st.integers(0, 3)) :]
    return written


WRITTEN = [json.loads(example.body) for example in examples("valid") if example.body[:1] in b"{["]


def verdict(read: Callable[[], Any]) -> Any:
    """What a reading gives: how the data is written, or the refusal with all its problems."""
    try:
        return json.dumps(read())
    except Refusal as refusal:
        return type(refusal), refusal.detail, refusal.problems


@settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "600")), deadline=None)
@given(texts(), st.sampled_from([0, 1, 60]))
def test_the_fast_way_reads_and_refuses_what_the_sure_way_does(text: bytes, above: int) -> None:
    fast = verdict(lambda: strict_json.read(text, "/3", above)[0])
    assert fast == verdict(lambda: exact_json.parse(text, "/3", above))


@settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "600")), deadline=None)
@given(texts())
def test_what_is_said_to_be_written_as_sent_is(text: bytes) -> None:
    try:
        data, as_sent = strict_json.read(text)
    except Refusal:
        return
    if as_sent:
        assert strict_json.dump(data) == strict_json.compact(text)


@given(st.lists(st.sampled_from([1, 500, 1_021, 1_023, 1_024, 1_025, 1_026, 1_030]), min_size=1, max_size=5))
def test_a_name_beyond_its_limit_is_seen_wherever_it_stands(lengths: list[int]) -> None:
    names = [str(place) + "x" * (length - 1) for place, length in enumerate(lengths)]
    text = json.dumps(dict(zip(names, ["v" * length for length in reversed(lengths)], strict=True))).encode()
    assert verdict(lambda: strict_json.parse(text)) == verdict(lambda: exact_json.parse(text))


@pytest.mark.parametrize("example", examples("valid") + examples("invalid"), ids=lambda example: example.name)
def test_both_ways_are_of_one_mind_about_every_example(example: Example) -> None:
    fast = verdict(lambda: strict_json.parse(example.body))
    assert fast == verdict(lambda: exact_json.parse(example.body))


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":"https:\\/\\/x"}', b'{"a":"\\u003c\\u00e9"}', b'{"a":1.50}', b'{"a":1E2}', b'{"a":-0}',
        b'{"a": [1, 2]}', '{"é":"ü"}'.encode(), b'{"a":12345678901234567}',
    ],
)  # fmt: skip
def test_the_sure_way_is_not_asked_about_what_ordinary_writers_write(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact_json, "parse", lambda *given: pytest.fail("asked"))
    assert strict_json.parse(text) == json.loads(text)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(texts(), max_size=3),
    st.sampled_from([b"[%b]", b"[%b", b"[%b]]", b" [ %b ] ", b"{%b}", b"[%b,]"]),
)
def test_a_batch_is_cut_where_the_sure_way_sees_items(parts: list[bytes], around: bytes) -> None:
    text = around % b",".join(parts)
    try:
        data = exact_json.parse(text)
    except Refusal:
        return  # whether the cut shows it or the reading of an item
    found = strict_json.items(text)
    if not isinstance(data, list):
        assert found is None
    else:
        assert found is not None
        assert [json.dumps(strict_json.parse(item)) for item in found] == [json.dumps(item) for item in data]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(texts(), max_size=3), st.sampled_from([b"[%b]", b"[%b", b"[%b]]", b"[%b,]", b"[%b]\x00", b"%b"])
)
def test_what_is_no_json_shows_in_the_cut_or_in_an_item(parts: list[bytes], around: bytes) -> None:
    text = around % b",".join(parts)

    def cut_and_read() -> list[Any] | None:
        found = strict_json.items(text)
        return None if found is None else [strict_json.read(item, above=1) for item in found]

    try:
        exact_json.parse(text)
    except Refusal:
        if len(text) < 2 * strict_json.MAX_MEMBERS:  # how many items are too many is told elsewhere
            with pytest.raises(Refusal):
                cut_and_read()
