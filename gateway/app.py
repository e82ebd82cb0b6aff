"""Builds every part once and joins them; nothing else in the program makes a collaborator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask

from gateway import schemas, sources, tracing
from gateway import settings as settings_module
from gateway.contracts import Contracts
from gateway.contracts.pages import pages
from gateway.contracts.parts import Parts
from gateway.credentials import Credentials
from gateway.dead_letters import DeadLetters
from gateway.errors import SettingsError
from gateway.haste import Haste, Hastes
from gateway.keeper import Keeper
from gateway.metrics import Metrics
from gateway.model import Fault, Publisher
from gateway.notices import Notices
from gateway.pipeline import Pipeline
from gateway.publishing.broker_ack import BrokerAck
from gateway.publishing.client import Client
from gateway.publishing.duplicates import Duplicates
from gateway.publishing.kafka_python import KafkaPython
from gateway.publishing.local_log import LocalLog
from gateway.publishing.shelf import StepAside
from gateway.publishing.spool import Spool
from gateway.publishing.spooling import Spooling
from gateway.routing import Naming, Router
from gateway.schemas import SchemaStore
from gateway.settings import Settings
from gateway.sources import Sources, declarations
from gateway.sources.declarations import Folder
from gateway.sources.reading import Reader
from gateway.web.application import create_application
from gateway.web.asgi import AsgiDoor
from gateway.web.door import Door
from gateway.web.guard import Guard
from gateway.web.routes import intakes


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything of one process. The publisher is not started yet: that belongs after a fork."""

    settings: Settings
    schemas: SchemaStore
    router: Router
    pipeline: Pipeline
    publisher: Publisher
    door: Door
    application: Flask
    asgi: AsgiDoor
    contracts: Contracts


def build(
    settings: Settings,
    publisher: Publisher | None = None,
    credentials: Credentials | None = None,
    metrics: Metrics | None = None,
    traces: tracing.Traces | None = None,
    mappings: Folder | None = None,
) -> Gateway:
    """Build a gateway from settings. Raises SettingsError for what only shows when the parts meet.

    The credentials are handed in, not read: a worker that is started anew must not meet a file that somebody
    is in the middle of changing. Where a file is named and nothing is handed in, nobody may send. So are the
    declarations; without any the folder is read.
    """
    if credentials is None and settings.credentials_file:
        credentials = Credentials(())
    metrics = metrics or Metrics()
    mappings = mappings or declarations.read(settings.mappings_dir)
    store, understood = sources.build(settings, mappings, metrics.count_disagreement)
    router = build_router(settings, store, understood)
    dead_letters = build_dead_letters(settings, router, understood.headers_read)
    publisher = publisher or build_publisher(
        settings, router.topics(), step_aside=dead_letters.of_record, metrics=metrics
    )
    if traces is not None:
        publisher = traces.publisher(publisher)
    keeper = Keeper(
        dead_letters,
        publisher,
        metrics,
        quarantine=settings.quarantine_systems,
        max_in_flight_bytes=settings.max_in_flight_bytes // 4,
    )
    pipeline = (traces.pipeline if traces else Pipeline)(
        reader=Reader(store, settings.max_batch_events, understood.lenient, understood.disguises),
        sources=understood,
        schemas=store,
        router=router,
        publisher=publisher,
        hastes=build_hastes(settings),
        keeper=keeper,
        metrics=metrics,
        notices=Notices(settings.data_dir),
        max_record_bytes=settings.max_record_bytes,
        max_events=settings.max_batch_events,
        max_bytes=settings.max_in_flight_bytes,
    )
    door = Door(settings, pipeline, metrics, Guard(credentials, settings.rate_limit, metrics))
    application = create_application(
        settings=settings, door=door, publisher=publisher, metrics=metrics, schemas=store
    )
    contracts = build_contracts(settings, credentials, pipeline)
    application.register_blueprint(pages(contracts))
    asgi = AsgiDoor(settings, door, application)
    return Gateway(settings, store, router, pipeline, publisher, door, application, asgi, contracts)


def build_contracts(settings: Settings, credentials: Credentials | None, pipeline: Pipeline) -> Contracts:
    """Give the documents for senders and consumers."""
    return Contracts(
        Parts(
            settings=settings,
            credentials=credentials,
            intakes=intakes(settings.systems),
            pipeline=pipeline,
            folders=[schemas.folder(), *([settings.mappings_dir] if settings.mappings_dir else [])],
        )
    )


def build_router(settings: Settings, store: SchemaStore, sources: Sources) -> Router:
    """Give the declared table of topics."""
    naming = Naming(
        prefix=settings.topic_prefix,
        template=settings.topic_template,
        type_prefix=settings.type_prefix,
        structured=settings.content_mode == "structured",
        dataschema=store.id(schemas.ENVELOPE),
        dead_letter_schema=store.id(schemas.DEADLETTER),
    )
    try:
        return Router(sources.pairs(), naming, dead_letters=settings.dead_letters)
    except ValueError as error:
        names = " and ".join(map(settings_module.variable, ("topic_prefix", "topic_template")))
        raise SettingsError([f"{names}: {error}"]) from None


def build_dead_letters(settings: Settings, router: Router, headers: frozenset[str]) -> DeadLetters:
    """Give what keeps refused events, which quarantine cannot do without."""
    if settings.quarantine_systems and not settings.dead_letters:
        quarantine, kept = map(settings_module.variable, ("quarantine_systems", "dead_letters"))
        raise SettingsError([f"{quarantine}: answers 202 for what is kept, so {kept} must be true"])
    return DeadLetters(
        router,
        max_record_bytes=settings.max_record_bytes,
        on=settings.dead_letters,
        headers=headers,
    )


def build_hastes(settings: Settings) -> Hastes:
    """Give which systems wait less for Kafka than all others; a longer wait than that of all is none."""
    if settings.ack == "broker" and settings.system_ack:
        system_ack, ack = map(settings_module.variable, ("system_ack", "ack"))
        raise SettingsError([f"{system_ack}: contradicts {ack}=broker, which has no spool"])
    budgets = settings.system_ack_budget_ms
    shorter = {system: ms / 1_000 for system, ms in budgets.items() if ms < settings.ack_budget_ms}
    named = {*shorter, *settings.system_ack}
    return Hastes(
        {system: Haste(shorter.get(system), spool=system in settings.system_ack) for system in named}
    )


def build_publisher(
    settings: Settings,
    topics: Sequence[str],
    *,
    step_aside: StepAside = lambda record, error: None,
    metrics: Metrics | None = None,
) -> Publisher:
    """Kafka where brokers are named, with a spool unless ack=broker; else the local log.

    In front of it, where a window is set, what knows duplicates.
    """
    metrics = metrics or Metrics()
    disk_timeout = settings.disk_timeout_ms / 1_000
    publisher: Publisher
    if settings.kafka_bootstrap_servers:
        publisher = build_kafka_publisher(settings, topics, step_aside, metrics)
    else:
        publisher = LocalLog(
            settings.data_dir, disk_timeout=disk_timeout, max_in_flight_bytes=settings.max_in_flight_bytes
        )
    if window := settings.duplicate_window_seconds:
        return Duplicates(publisher, settings.data_dir, window, count=metrics.count_duplicates)
    return publisher


def build_kafka_publisher(
    settings: Settings, topics: Sequence[str], step_aside: StepAside, metrics: Metrics
) -> Publisher:
    """Kafka, with or without a spool."""
    client = build_client(settings, topics, metrics)

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


def build_client(settings: Settings, topics: Sequence[str], metrics: Metrics) -> Client:
    """Give the client that is chosen; the second is an optional package. Raises SettingsError."""
    if settings.kafka_client == "kafka-python":
        return KafkaPython(settings, topics, rebuilt=metrics.count_rebuild)
    try:
        from gateway.publishing.librdkafka import Librdkafka
    except ImportError as error:
        chosen = settings_module.variable("kafka_client")
        needed = "librdkafka needs another package: pip install 'cloudevents-gateway[librdkafka]'"
        raise SettingsError([f"{chosen}: {needed} ({error})"]) from None
    return Librdkafka(settings, topics, rebuilt=metrics.count_rebuild)
