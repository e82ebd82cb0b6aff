"""What is left of a file of the spool after a torn write, or after somebody wrote over it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.publishing import database, spool_file
from gateway.publishing.spool_file import DAMAGED, SpoolFile
from tests.test_spool_file import append, opened, values

PAGE = 4_096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / spool_file.file_name(0)


@pytest.fixture
def file(path: Path) -> Iterator[SpoolFile]:
    with opened(path) as file:
        yield file


# -- a torn tail --------------------------------------------------------------------------------------------


def copied(file: SpoolFile, target: Path, log: bytes) -> Path:
    """The file as a killed process would leave it, with that log."""
    target.mkdir()
    path = target / file.path.name
    path.write_bytes(file.path.read_bytes())
    Path(f"{path}-wal").write_bytes(log)
    return path


def test_a_torn_tail_costs_the_last_transaction_at_most(file: SpoolFile, tmp_path: Path) -> None:
    written = Path(f"{file.path}-wal")
    before = [b"%d" % n * 900 for n in range(9)]
    for n in range(0, 9, 3):
        append(file, *before[n : n + 3])
    start = written.stat().st_size
    append(file, b"x" * 3_000, b"y" * 3_000)
    log = written.read_bytes()
    found = []
    for end in [*range(start, len(log), 97), len(log) - 1, len(log)]:
        with opened(copied(file, tmp_path / str(end), log[:end])) as torn:
            assert torn.whole()
            found.append(values(torn))
            assert append(torn, b"later")
    assert found[-1] == [*before, b"x" * 3_000, b"y" * 3_000]
    assert all(each == before for each in found[:-1])


def test_a_tail_with_wrong_bytes_costs_the_last_transaction_at_most(file: SpoolFile, tmp_path: Path) -> None:
    written = Path(f"{file.path}-wal")
    append(file, b"a", b"b")
    start = written.stat().st_size
    append(file, b"x" * 3_000)
    for index in range(start, written.stat().st_size, 301):
        log = bytearray(written.read_bytes())
        log[index] ^= 0xFF
        with opened(copied(file, tmp_path / str(index), bytes(log))) as torn:
            assert values(torn) in ([b"a", b"b"], [b"a", b"b", b"x" * 3_000])


# -- a page -----------------------------------------------------------------------------------------------


def test_a_row_whose_id_was_changed_is_not_passed_over_for_ever(path: Path) -> None:
    with opened(path) as file:
        append(file, *WRITTEN[:60])
    content = bytearray(path.read_bytes())
    page = 7 * PAGE
    cell = page + int.from_bytes(content[page + 18 : page + 20])
    content[cell + 2] ^= 0x40  # behind two bytes that tell its length
    path.write_bytes(content)
    with opened(path) as file, pytest.raises(database.Damaged):
        values(file)
    assert spool_file.salvage(path) >= 59
    with opened(path) as file:
        assert values(file) == sorted(set(values(file)))
        assert 55 <= len(values(file)) < 60
        assert [row.parked for row in file.rows(parked=True)] == [DAMAGED]


# -- salvage ------------------------------------------------------------------------------------------------

WRITTEN = [b"%03d" % n * 100 for n in range(200)]
Bend = Callable[[bytes], bytes]


def scrambled(start: int, end: int) -> Bend:
    noise = random.Random(1).randbytes(end - start)
    return lambda content: content[:start] + noise + content[end:]


@pytest.mark.parametrize(
    ("bend", "saved_at_least"),
    [
        (scrambled(20 * PAGE, 21 * PAGE), 180),
        (scrambled(20 * PAGE, 21 * PAGE + 5), 170),
        (scrambled(20 * PAGE + 50, 20 * PAGE + 60), 180),
        (scrambled(0, PAGE), 200),
        (scrambled(0, 100), 200),
        (scrambled(16, 100), 200),
        (scrambled(100, PAGE), 200),
        (lambda content: content[: 12 * PAGE], 60),
        (lambda content: content[: 12 * PAGE + 7], 60),
        (lambda content: b"", 0),
        (lambda content: b"precious" * 10_000, 0),
        (lambda content: b"x", 0),
    ],
)
def test_what_can_be_read_of_a_damaged_file_is_saved_and_the_file_is_kept(
    path: Path, bend: Bend, saved_at_least: int
) -> None:
    with opened(path) as file:
        ids = append(file, *WRITTEN)
    content = bend(path.read_bytes())
    path.write_bytes(content)
    saved = spool_file.salvage(path)
    with opened(path) as file:
        assert file.whole()
        found = [(row.id, row.record.value) for row in file.rows()]
        assert saved_at_least <= len(found) == len(set(found)) <= saved
        assert set(found) <= set(zip(ids, WRITTEN, strict=True))
        assert found == sorted(found)
        (later,) = append(file, b"later")
        assert later > max(ids), "an id that cannot be read any more may still be spoken of"
    (kept,) = (each for each in path.parent.glob(f"{path.name}.damaged-*") if each.suffix[-4:] != "-wal")
    assert kept.read_bytes() == content
    assert {each.name for each in path.parent.iterdir()} <= {path.name, kept.name, f"{kept.name}-wal"}


def test_what_only_the_log_holds_is_saved_too(file: SpoolFile, tmp_path: Path) -> None:
    append(file, *WRITTEN)
    log = Path(f"{file.path}-wal").read_bytes()
    left = copied(file, tmp_path / "killed", log)
    left.write_bytes(b"")
    with pytest.raises(database.Damaged):
        SpoolFile(left)
    assert spool_file.salvage(left) == 200
    with opened(left) as salvaged:
        assert values(salvaged) == WRITTEN


def test_parked_rows_stay_parked_and_damaged_ones_become_so(path: Path) -> None:
    with opened(path) as file:
        ids = append(file, b"a", b"b", b"c", b"d")
        file.park(ids[0], "too-large")
        file.execute("UPDATE records SET value = 'wrong', headers = '[[1, 2]]' WHERE id = ?", (ids[2],))
    assert spool_file.salvage(path) == 4
    with opened(path) as file:
        assert values(file) == [b"b", b"d"]
        assert [(row.id, row.parked) for row in file.rows(parked=True)] == [
            (ids[0], "too-large"),
            (ids[2], DAMAGED),
        ]
