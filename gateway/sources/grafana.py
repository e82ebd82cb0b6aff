"""Grafana Alerting, webhook contact point. With an external Alertmanager Grafana sends that one's documents.

Source: grafana/alerting, receivers/webhook/v1 and templates/template_data.go.
"""

from __future__ import annotations

from typing import Any

from gateway.model import Document
from gateway.schemas import SchemaStore
from gateway.settings import Settings
from gateway.sources.alerts import TRUNCATED, Alerts
from gateway.sources.source import Control, mapping

TEST = "test"
# Nothing else marks what the Test button sends.
_TEST_LABELS = {"alertname": "TestAlert", "instance": "Grafana"}


class Grafana(Alerts):
    """Alerts of Grafana's own Alertmanager."""

    name = "grafana"
    title = "Grafana Alerting (webhook contact point)"
    marks = 'an object with version "1", orgId and alerts'
    version = "1"
    schema_file = "grafana/webhook.schema.json"
    controls = (TEST, TRUNCATED)
    own_labels = ("ruleUID",)
    urls = ("panelURL", "dashboardURL", "generatorURL")

    def __init__(self, *, drop_tests: bool = False) -> None:
        """``drop_tests``: what the Test button sends is a control message, and not published."""
        self._drop_tests = drop_tests

    @classmethod
    def make(cls, settings: Settings, schemas: SchemaStore) -> Grafana:
        """A test alert is never resolved, so some want none."""
        return cls(drop_tests=settings.grafana_drop_tests)

    def recognise(self, document: Document) -> bool:
        """Besides version and alerts the organisation, which Grafana alone has."""
        return super().recognise(document) and "orgId" in document.data

    def control(self, document: Document) -> Control | None:
        """A test, if those are dropped, and there is nothing else in the group."""
        alerts = mapping(document.data).get("alerts")
        if self._drop_tests and isinstance(alerts, list) and alerts and all(map(_is_test, alerts)):
            return Control(self.name, TEST, "the Test button of a contact point was pressed")
        return None


def _is_test(alert: Any) -> bool:
    given = mapping(mapping(alert).get("labels"))
    return all(given.get(name) == value for name, value in _TEST_LABELS.items())
