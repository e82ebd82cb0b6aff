"""Bodies that come packed: undone within the limit, whole or refused, however they are cut into pieces."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from gateway import dead_letters
from gateway.errors import GatewayError, IncompleteBody, MalformedBody, TooLarge, UnsupportedEncoding
from gateway.model import Message, StoredRecord
from gateway.web.body import MAX_RATIO, RATIO_FLOOR, Body
from tests.door import JSON, MAX_BODY, Door, told
from tests.mutations import cut
from tests.samples import EVENT, deployed, without

GZIP = {"content-encoding": "gzip"}
PACKED = gzip.compress(EVENT)


def read(packed: bytes, piece: int = 65_536, limit: int = MAX_BODY, announced: int | None = None) -> bytes:
    length = {} if announced is None else {"content-length": str(announced)}
    body = Body(GZIP | length, limit)
    for start in range(0, len(packed), piece):
        body.feed(packed[start : start + piece])
    return body.whole()


def refusal(packed: bytes, piece: int = 65_536, limit: int = MAX_BODY) -> type[GatewayError]:
    with pytest.raises(GatewayError) as caught:
        read(packed, piece, limit)
    return type(caught.value)


def packed(document: object) -> bytes:
    return gzip.compress(json.dumps(document).encode())


def noise(size: int) -> bytes:
    """What packs to about a third: no ratio is too good."""
    return b"".join(b"%016x" % hash((size, n)) for n in range(size // 16))


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZip", " gzip "])
def test_a_packed_event_is_taken(door: Door, coding: str) -> None:
    assert door.send(PACKED, headers={"Content-Encoding": coding}).status_code == 202
    assert json.loads(door.published[0].value)["payload"] == json.loads(EVENT)


@pytest.mark.parametrize("piece", [1, 2, 7, 1_000])
def test_it_may_come_in_pieces_of_any_size(piece: int) -> None:
    assert read(PACKED, piece) == EVENT


@pytest.mark.parametrize("level", [0, 1, 9])
def test_the_limit_holds_for_what_comes_out(level: int) -> None:
    content = noise(100_000)[:90_000]
    body = gzip.compress(content, level)
    limit = max(len(content), len(body))
    assert read(body, limit=limit) == content
    assert refusal(body, limit=len(content) - 1) is TooLarge


def test_the_limit_holds_for_what_comes_in() -> None:
    body = Body(GZIP, 1_000)
    body.feed(gzip.compress(b"")[:10])
    with pytest.raises(TooLarge):
        body.feed(bytes(991))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(PACKED[:-1], id="last byte missing"),
        pytest.param(PACKED[:-8], id="checksum missing"),
        pytest.param(PACKED[:10], id="header alone"),
        pytest.param(PACKED + b"\n", id="a byte after it"),
        pytest.param(PACKED + PACKED, id="two members"),
        pytest.param(PACKED[:-8] + b"\0" * 8, id="wrong checksum"),
        pytest.param(EVENT, id="not packed"),
        pytest.param(zlib.compress(EVENT), id="zlib"),
        pytest.param(b"\x1f\x8b\x09" + PACKED[3:], id="another method"),
    ],
)
@pytest.mark.parametrize("piece", [1, 65_536])
def test_a_stream_that_is_not_one_whole_gzip_member_is_refused(body: bytes, piece: int) -> None:
    assert refusal(body, piece) is MalformedBody


def test_gzip_in_gzip_is_undone_once(door: Door) -> None:
    answer = door.send(gzip.compress(PACKED), headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, told(answer)["type"]) == (400, "invalid-encoding")


@pytest.mark.parametrize(
    "coding", ["gzip, gzip", "gzip,identity", "deflate", "br", "zstd", "compress", "*", "gzip;q=1"]
)
def test_another_coding_and_stacked_ones_are_refused(coding: str) -> None:
    with pytest.raises(UnsupportedEncoding):
        Body({"content-encoding": coding}, MAX_BODY)


def test_a_body_shorter_than_announced_is_incomplete_before_it_is_malformed() -> None:
    with pytest.raises(IncompleteBody):
        read(PACKED[:-1], announced=len(PACKED))


@pytest.mark.parametrize("piece", [7, 65_536])
def test_a_ratio_that_no_event_has_is_refused(piece: int) -> None:
    body = gzip.compress(bytes(RATIO_FLOOR + 1))
    assert len(body) * MAX_RATIO < RATIO_FLOOR
    assert refusal(body, piece) is TooLarge


def test_small_bodies_may_have_any_ratio() -> None:
    assert len(read(gzip.compress(bytes(RATIO_FLOOR)))) == RATIO_FLOOR


def test_a_batch_of_events_that_differ_by_their_ids_is_within_the_ratio() -> None:
    batch = [{"specversion": "1.0", "id": f"{n}", "source": "/s", "data": deployed()} for n in range(1_000)]
    assert json.loads(read(packed(batch))) == batch


def bomb() -> bytes:
    """10 MB that unpack to 10 GB: one block of zeros, over and over."""
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(bytes(1_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(10_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * 1_000


def test_a_bomb_is_refused_after_the_limit_and_in_bounded_memory() -> None:
    content = bomb()
    assert 9_000_000 < len(content) < 20_000_000
    body, fed, piece = Body(GZIP, MAX_BODY), 0, 65_536
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            for start in range(0, len(content), piece):
                fed += piece
                body.feed(content[start : start + piece])
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fed == piece
    assert most < 4 * MAX_BODY


@st.composite
def altered_streams(draw: DrawFn) -> bytes:
    return cut(draw, PACKED)


@given(altered_streams(), st.integers(1, 100))
def test_an_altered_stream_gives_the_same_whatever_its_pieces(altered: bytes, piece: int) -> None:
    def outcome(piece: int) -> bytes | type[GatewayError]:
        try:
            return read(altered, piece)
        except GatewayError as error:
            return type(error)

    found = outcome(piece)
    assert found == outcome(65_536)
    assert isinstance(found, bytes) or found is MalformedBody


def test_a_dead_letter_holds_what_was_unpacked_and_is_tried_again_as_that(door: Door) -> None:
    document = without(deployed(), "team_id")
    answer = door.send(packed(document), headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 422
    (letter,) = door.dead_letters
    request = json.loads(letter.value)["request"]
    assert (json.loads(request["body"]), request["bodyEncoding"]) == (document, "utf-8")
    assert "content-encoding" not in {*request["headers"], *request["omittedHeaders"]}
    stored = StoredRecord(
        topic=letter.topic, partition=0, offset=0, timestamp=0,
        key=letter.key, value=letter.value, headers=letter.headers,
    )  # fmt: skip
    message = dead_letters.read(stored, door.gateway.schemas).content
    assert isinstance(message, Message)
    assert json.loads(message.body) == document and "content-encoding" not in message.headers


def test_a_packed_body_in_chunks_is_taken(door: Door) -> None:
    environ = {
        "wsgi.input": io.BytesIO(PACKED),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "HTTP_CONTENT_ENCODING": "gzip",
    }
    answer = door.client.post("/events", content_type=JSON, environ_overrides=environ)
    assert answer.status_code == 202
