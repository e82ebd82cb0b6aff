"""Builds the publisher that the settings ask for, of the parts in ``gateway.publishing``."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import settings as settings_module
from gateway.errors import SettingsError
from gateway.metrics import Metrics
from gateway.model import Fault, Publisher
from gateway.publishing.broker_ack import BrokerAck
from gateway.publishing.client import Client
from gateway.publishing.duplicates import Duplicates
from gateway.publishing.kafka_python import KafkaPython
from gateway.publishing.local_log import LocalLog
from gateway.publishing.poller import Poller
from gateway.publishing.shelf import StepAside
from gateway.publishing.spool import Spool
from gateway.publishing.spooling import Spooling
from gateway.settings import Settings


def build(
    settings: Settings,
    topics: Sequence[str],
    *,
    step_aside: StepAside = lambda record, error: None,
    metrics: Metrics | None = None,
    poller: Poller | None = None,
) -> Publisher:
    """Kafka where brokers are named, with a spool unless ack=broker; else the local log.

    In front of it, where a window is set, what knows duplicates. ``poller`` is what an event loop may use.
    """
    metrics = metrics or Metrics()
    disk_timeout = settings.disk_timeout_ms / 1_000
    publisher: Publisher
    if settings.kafka_bootstrap_servers:
        publisher = _over_kafka(settings, _client(settings, topics, metrics, poller), step_aside, metrics)
    else:
        publisher = LocalLog(
            settings.data_dir, disk_timeout=disk_timeout, max_in_flight_bytes=settings.max_in_flight_bytes
        )
    if window := settings.duplicate_window_seconds:
        return Duplicates(publisher, settings.data_dir, window, count=metrics.count_duplicates)
    return publisher


def _over_kafka(settings: Settings, client: Client, step_aside: StepAside, metrics: Metrics) -> Publisher:
    """Kafka, with or without a spool."""

    def set_aside(kept: bool) -> None:
        if settings.dead_letters:
            metrics.count_dead_letter(Fault.BROKER, kept=kept)

    budget, in_flight = settings.ack_budget_ms / 1_000, settings.max_in_flight_bytes
    if settings.ack == "broker":
        direct = BrokerAck(client, budget=budget, max_in_flight_bytes=in_flight)
        metrics.show(direct.gauges)
        return direct
    spooling = Spooling(
        client,
        Spool(settings.data_dir),
        always_spool=settings.ack == "spool",
        budget=budget,
        disk_timeout=settings.disk_timeout_ms / 1_000,
        max_bytes=settings.spool_max_bytes,
        max_in_flight_bytes=in_flight,
        alarm_seconds=settings.spool_alarm_seconds,
        step_aside=step_aside,
        set_aside=set_aside,
    )
    metrics.show(spooling.gauges)
    return spooling


def _client(settings: Settings, topics: Sequence[str], metrics: Metrics, poller: Poller | None) -> Client:
    """Give the client that is chosen; the second is an optional package. Raises SettingsError."""
    if settings.kafka_client == "kafka-python":
        return KafkaPython(settings, topics, rebuilt=metrics.count_rebuild)
    try:
        from gateway.publishing.librdkafka import Librdkafka
    except ImportError as error:
        chosen = settings_module.variable("kafka_client")
        needed = "librdkafka needs another package: pip install 'cloudevents-gateway[librdkafka]'"
        raise SettingsError([f"{chosen}: {needed} ({error})"]) from None
    return Librdkafka(settings, topics, rebuilt=metrics.count_rebuild, poller=poller)
