"""Prometheus Alertmanager, webhook version 4; Mimir and Cortex send the same.

Source: prometheus/alertmanager, docs/configuration.md (webhook_config) and notify/webhook/webhook.go.
"""

from __future__ import annotations

from gateway.sources.alerts import Alerts


class Alertmanager(Alerts):
    """Alerts of Prometheus, grouped by its Alertmanager."""

    name = "alertmanager"
    title = "Prometheus Alertmanager (webhook version 4)"
    marks = 'an object with version "4" and alerts'
    version = "4"
    schema_file = "alertmanager/webhook.schema.json"
