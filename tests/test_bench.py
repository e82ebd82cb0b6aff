"""The bench: its arithmetic, its pages, and its short form on a real Kafka. No time is asserted."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from bench import chart, growth_report, pages, report
from bench.__main__ import DEFAULTS
from bench.bodies import BATCH, ID_MARK, LOADS, MIX, REFUSED, SINGLE, Load, bodies, event_bytes
from bench.goals import GOALS, reached
from bench.growth_report import Growth, Hold, Memory, Point
from bench.load import Heard
from bench.measure import Sample
from bench.report import Report
from bench.results import Figures, figures
from bench.variants import VARIANTS, available
from tests.door import Door

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
SAMPLE = Sample(
    variant="competent",
    load="single",
    rate=100.0,
    p50_ms=10.0,
    p99_ms=20.0,
    cpu_us=1_000.0,
    mib=60.0,
    start_seconds=1.0,
    acknowledged=200,
    unexpected=0,
)


def one(samples: list[Sample], variant: str, load: str = "single") -> Figures:
    (row,) = [row for row in figures(samples) if (row.variant, row.load) == (variant, load)]
    return row


def measured() -> Report:
    samples = [
        SAMPLE,
        replace(SAMPLE, variant="asgi-librdkafka", rate=1_450.0, cpu_us=40.0, p99_ms=22.0),
        replace(SAMPLE, variant="asgi-librdkafka", load="batch", rate=50_000.0, cpu_us=15.0),
        replace(SAMPLE, variant="asgi-librdkafka", load="refused", rate=700.0, cpu_us=100.0),
        replace(SAMPLE, variant="asgi-librdkafka", load="mix", rate=580.0, cpu_us=60.0),
        replace(SAMPLE, variant="asgi-librdkafka", load="group", rate=40_000.0, cpu_us=18.0),
        replace(SAMPLE, variant="asgi-librdkafka-away", rate=290.0),
        replace(SAMPLE, variant="ceiling-librdkafka", rate=1_600.0),
    ]
    rows = figures(samples)
    return Report("2026-02-03", {"cpu": "x", "cores": 2, "python": "3.11"}, 2.0, 1, rows, reached(rows))


# -- what is posted ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_the_gateway_answers_each_load_as_it_deserves(door: Door, load: Load) -> None:
    body = next(bodies(load)).replace(ID_MARK, "r001-00000001")
    answer = door.send(body.encode(), content_type=load.content_type)
    assert answer.status_code == (202 if load.valid else 422)


def test_all_events_of_a_load_are_of_one_length_and_the_subjects_vary() -> None:
    singles = list(bodies(SINGLE))
    assert {len(body) for body in singles} == {event_bytes(SINGLE)} == {1_067}
    assert len(set(singles)) == len(singles) > 100
    (batch, *_) = bodies(BATCH)
    # What the ceiling cuts at that length are the very events.
    cut = range(1, len(batch), event_bytes(BATCH) + 1)
    assert [json.loads(batch[start : start + event_bytes(BATCH)]) for start in cut] == json.loads(batch)


def test_every_event_of_a_batch_has_an_id_of_its_own() -> None:
    for body in bodies(BATCH):
        assert len({event["id"] for event in json.loads(body)}) == BATCH.events


# -- arithmetic ----------------------------------------------------------------------------------------------


def test_a_figure_is_the_median_of_the_rounds_and_counts_are_summed() -> None:
    rows = [replace(SAMPLE, rate=rate, lost=1, unexpected=2) for rate in (300.0, 100.0, 120.0)]
    row = one(rows, "competent")
    assert (row.rate, row.rounds, row.acknowledged, row.lost, row.unexpected) == (120.0, 3, 600, 3, 6)


def test_ratios_are_of_the_same_load_and_of_the_ceiling_with_the_same_client() -> None:
    samples = [
        SAMPLE,
        replace(SAMPLE, load="batch", rate=1.0),
        replace(SAMPLE, variant="asgi-librdkafka", rate=800.0),
        replace(SAMPLE, variant="ceiling-librdkafka", rate=1_000.0),
        replace(SAMPLE, variant="ceiling-kafka-python", rate=400.0),
    ]
    row = one(samples, "asgi-librdkafka")
    assert (row.x_competent, row.of_ceiling) == (8.0, 0.8)
    assert one(samples, "competent").of_ceiling == 0.25


def test_what_was_not_measured_gives_no_ratio() -> None:
    row = one([replace(SAMPLE, variant="flask-kafka-python")], "flask-kafka-python")
    assert (row.x_competent, row.of_ceiling) == (None, None)


def test_a_refusal_is_held_against_an_acceptance_and_the_valid_of_a_mix_against_their_part() -> None:
    ours = replace(SAMPLE, variant="flask-kafka-python")
    samples = [ours, replace(ours, load="refused", cpu_us=2_500.0), replace(ours, load="mix", rate=45.0)]
    assert one(samples, ours.variant, REFUSED.name).share == 2.5
    # 16 of 32 connections: half of 100 events/s was their part.
    assert one(samples, ours.variant, MIX.name).share == 0.9


def test_the_requests_that_were_answered_well_are_those_that_were_not_answered_badly() -> None:
    assert Heard("r001", 10, 1.0, bad=3, failed=1, p50_ms=1, p99_ms=2, max_ms=3).good == 7


def test_goals_are_told_as_met_or_missed_and_never_without_a_figure() -> None:
    found = {(goal.variant, goal.load, goal.what): goal for goal in measured().goals}
    assert found["asgi-librdkafka", "single", "x competent"].met
    assert found["asgi-librdkafka", "single", "of the ceiling"].value == 0.906
    assert found["asgi-librdkafka", "single", "CPU of competent / ours"].value == 25.0
    assert found["asgi-librdkafka", "refused", "CPU refusing / accepting"].met
    assert not found["asgi-librdkafka", "mix", "valid ones of their part"].met
    assert not found["asgi-librdkafka-away", "single", "of publishing"].met
    assert ("asgi-kafka-python", "single", "x competent") not in found


def test_every_goal_is_of_a_variant_and_of_a_load_that_it_is_measured_under() -> None:
    loads = {variant.name: {load.name for load in variant.loads} for variant in VARIANTS}
    assert [goal for goal in GOALS if goal.load not in loads[goal.variant]] == []


def test_memory_that_grows_has_a_slope_and_the_first_half_does_not_count() -> None:
    assert Memory([(0, 50.0), (500_000, 90.0), (750_000, 91.0), (1_000_000, 92.0)]).slope == pytest.approx(4)
    assert Memory([(0, 50.0), (1_000, 60.0)]).slope is None


# -- what is shown -------------------------------------------------------------------------------------------


def test_a_run_is_read_back_as_it_was_kept() -> None:
    kept = measured()
    assert Report.of_json(kept.as_json()).as_json() == kept.as_json()
    assert report.tables(Report.of_json(kept.as_json())) == report.tables(kept)


def test_costs_are_those_of_the_door_that_carries_more_and_of_its_broker() -> None:
    fast = replace(SAMPLE, variant="asgi-librdkafka", rate=900.0, cpu_us=50.0, broker_cpu_us=7.0)
    slow = replace(fast, variant="flask-librdkafka", rate=300.0, cpu_us=400.0, broker_cpu_us=9.0)
    guarded = replace(fast, variant="asgi-librdkafka-bearer", rate=2_000.0)
    kept = replace(measured(), figures=figures([SAMPLE, fast, slow, guarded]))
    told = json.loads(kept.as_json())["costs"]
    assert told["gateway"] == {"librdkafka": {"single": {"cpu_us": 50.0, "events_per_second": 900.0}}}
    assert told["broker_cpu_us"] == {"single": 7.0}


def test_the_table_has_a_row_for_each_figure_with_its_ratios() -> None:
    text = report.tables(measured())
    (line,) = [line for line in text.splitlines() if "ASGI door, librdkafka**" in line and "1,450" in line]
    assert line.endswith("| 1,450 | 10 | 22 | 40 | 60 | 14.5 | 91% | 0 | 0 |")
    assert all(f"**{load.title[:1].upper()}{load.title[1:]}**" in text for load in LOADS)


def test_growth_is_read_back_as_it_was_kept() -> None:
    hold = Hold(0.5, 1.0, 3.0, 100)
    points = [Point(1, 100.0, 50.0, 2.0, 0), Point(1_000, 9_000.0, 20.0, 9.0, 0)]
    memory = Memory([(0, 60.0), (10, 61.0)])
    kept = Growth(
        "2026-02-03",
        {"cpu": "x", "cores": 2, "python": "3.11"},
        batches={"flask": points},
        connections={"flask": points},
        memory={"flask": memory},
        idle={"flask": hold},
        loaded={"flask": hold},
        start_seconds={"flask": 1.0},
    )
    again = Growth.of_json(kept.as_json())
    assert growth_report.text(again) == growth_report.text(kept)
    assert "| `flask` | 50 | 20 |" in growth_report.text(kept)
    assert is_picture(growth_report.picture(again))


def test_pictures_are_well_formed_and_name_what_they_show() -> None:
    picture = report.picture(measured())
    assert is_picture(picture)
    assert "asgi-librdkafka" in picture
    assert is_picture(chart.bars([("<none> & nothing", [])]))
    assert is_picture(chart.lines([chart.Panel("one point", [("a", [(1.0, 1.0)])]), chart.Panel("none", [])]))


def is_picture(text: str) -> bool:
    return ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"


def test_a_section_is_put_between_its_markers_and_nowhere_else() -> None:
    page = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    assert report.between(page, "x", "new") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"
    with pytest.raises(ValueError, match="no markers"):
        report.between(page, "y", "new")


@pytest.mark.parametrize("page", [pages.README, pages.PAGE], ids=lambda page: page.name)
def test_the_pages_and_the_picture_show_the_kept_run(page: Path) -> None:
    run = Report.of_json(pages.BENCH_JSON.read_text(encoding="utf-8"))
    section = pages.readme_section(run) if page == pages.README else pages.page_section(run)
    text = page.read_text(encoding="utf-8")
    assert report.between(text, "bench", section) == text
    assert pages.BENCH_SVG.read_text(encoding="utf-8") == report.picture(run)


def test_the_page_and_the_picture_show_the_kept_growth() -> None:
    growth = Growth.of_json(pages.GROWTH_JSON.read_text(encoding="utf-8"))
    assert report.between(PAGE, "growth", pages.growth_section(growth)) == PAGE
    assert pages.GROWTH_SVG.read_text(encoding="utf-8") == growth_report.picture(growth)


def test_the_page_names_every_variable_load_and_kind_of_variant() -> None:
    variables = re.findall(r"^\| `(BENCH_\w+)` \| (\S*)", PAGE, re.MULTILINE)
    assert {name: "" if told in ("all", "|") else told for name, told in variables} == DEFAULTS
    named = re.findall(r"^\| `([\w*-]+)`", PAGE, re.MULTILINE)
    assert {load.name for load in LOADS} <= set(named)
    patterns = re.findall(r"`([\w*-]+)`", "".join(re.findall(r"^\| (`.*?`) \| ", PAGE, re.MULTILINE)))
    assert [v.name for v in VARIANTS if not any(fnmatch(v.name, p) for p in patterns)] == []


def test_a_variant_that_this_gateway_cannot_be_is_left_out_with_the_reason() -> None:
    found, left_out = available()
    assert {"naive", "competent", "flask-kafka-python", "ceiling-librdkafka"} <= {v.name for v in found}
    assert {v.name for v in found} | set(left_out) == {v.name for v in VARIANTS}
    assert all(left_out.values())
    assert [v.name for v in available(["comp*"])[0]] == ["competent"]
