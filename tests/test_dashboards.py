"""The dashboard and the alerts name only what the code declares; every alert has its section in the docs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import problems
from gateway.denials import Reason
from gateway.metrics import series
from gateway.model import Fault, Outcome
from gateway.systems import SYSTEMS
from gateway.watch import Step
from tests.promql import TARGET_LABELS, groupings, selectors

ROOT = Path(__file__).parent.parent
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
OPERATORS = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in RULES} | {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]
}
VALUES = {
    "system": {*SYSTEMS, "unknown"},
    "outcome": {*(outcome.value for outcome in Outcome), "kept", "lost"},
    "reason": {"", *(kind.type for kind in problems.types()), *(reason.value for reason in Reason)},
    "class": {fault.value for fault in Fault},
    "step": {step.value for step in Step},
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_names_series_that_exist_by_labels_that_they_have(name: str) -> None:
    expr = EXPRESSIONS[name]
    named = selectors(expr)
    assert named
    assert {selector.name for selector in named} <= set(series())
    for selector in named:
        assert set(selector.matchers) <= series()[selector.name] | TARGET_LABELS
    assert groupings(expr) <= set.intersection(
        *({*series()[selector.name], *TARGET_LABELS} for selector in named)
    )


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_label_is_compared_with_values_that_it_can_have(name: str) -> None:
    for selector in selectors(EXPRESSIONS[name]):
        for label, value in selector.matchers.items():
            assert label in TARGET_LABELS or value in VALUES[label]


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {s.name for panel in PANELS for t in panel["targets"] for s in selectors(t["expr"])}
    bases = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in series()}
    assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in shown} >= bases - {
        "gateway_spool_max_bytes"
    }


def test_panels_have_ids_of_their_own_and_do_not_lie_on_one_another() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_has_a_severity_a_summary_and_its_section_in_the_runbook(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert (page, anchor) == ("docs/operators.md", rule["alert"].lower())
    assert f"\n#### {rule['alert']}\n" in OPERATORS


def test_the_runbook_has_no_alert_that_does_not_exist() -> None:
    assert re.findall(r"^#### (Gateway\w+)$", OPERATORS, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_every_metric_is_in_the_table_of_the_operators() -> None:
    rows = dict(re.findall(r"^\| `(gateway_\w+)(?:\{[^}]*\})?` \| ([^|]*) \|", OPERATORS, re.MULTILINE))
    named = re.findall(r"^\| `(gateway_\w+)(?:\{([^}]*)\})?` \|", OPERATORS, re.MULTILINE)
    bases = {re.sub(r"_(bucket|sum|count)$", "", n): ls - {"le"} for n, ls in series().items()}
    assert {name: {label for label in labels.split(",") if label} for name, labels in named} == bases
    assert all(rows.values())


@pytest.mark.parametrize(
    "command", [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]], ids=" ".join
)
def test_promtool_finds_no_fault(command: list[str]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run(
        [promtool, *command], cwd=ALERTS.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
