"""Where the figures are shown: files in ``docs/``, and the sections of two pages that are made from them."""

from __future__ import annotations

from pathlib import Path

from bench import growth_report, report
from bench.growth_report import Growth
from bench.report import Report

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "performance.md"
BENCH_JSON, BENCH_SVG = ROOT / "docs" / "bench.json", ROOT / "docs" / "bench.svg"
GROWTH_JSON, GROWTH_SVG = ROOT / "docs" / "growth.json", ROOT / "docs" / "growth.svg"


def readme_section(run: Report) -> str:
    """What the README shows of a run: the picture; the tables are on the page."""
    return f"![Events a second of each variant](docs/bench.svg)\n\n{report.stamp(run)}"


def page_section(run: Report) -> str:
    """What docs/performance.md shows of a run."""
    return f"{report.stamp(run)}\n\n{report.tables(run)}\n\n{report.goals_table(run)}".rstrip()


def growth_section(growth: Growth) -> str:
    """What docs/performance.md shows of a run of ``make bench-growth``."""
    return f"{growth_report.text(growth)}\n\n![Cost of an event by size and connections](growth.svg)"


def write_bench(run: Report) -> None:
    """Keep a run, and show it."""
    BENCH_JSON.write_text(run.as_json(), encoding="utf-8")
    show()


def write_growth(growth: Growth) -> None:
    """Keep a run of ``make bench-growth``, and show it."""
    GROWTH_JSON.write_text(growth.as_json(), encoding="utf-8")
    show()


def show() -> None:
    """Make pictures and sections again from the kept runs."""
    run = Report.of_json(BENCH_JSON.read_text(encoding="utf-8"))
    BENCH_SVG.write_text(report.picture(run), encoding="utf-8")
    _put(README, "bench", readme_section(run))
    _put(PAGE, "bench", page_section(run))
    if GROWTH_JSON.exists():
        growth = Growth.of_json(GROWTH_JSON.read_text(encoding="utf-8"))
        GROWTH_SVG.write_text(growth_report.picture(growth), encoding="utf-8")
        _put(PAGE, "growth", growth_section(growth))


def _put(page: Path, name: str, content: str) -> None:
    page.write_text(report.between(page.read_text(encoding="utf-8"), name, content), encoding="utf-8")
