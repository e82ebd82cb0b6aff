"""Builds every part once and joins them; nothing else in the program makes a collaborator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask

from gateway import logs, schemas
from gateway import settings as settings_module
from gateway.errors import SettingsError
from gateway.metrics import Metrics
from gateway.model import Publisher
from gateway.pipeline import Pipeline
from gateway.publishing.kafka_publisher import KafkaPublisher
from gateway.publishing.local_log import LocalLog
from gateway.routing import Naming, Router
from gateway.schemas import SchemaStore
from gateway.settings import Settings
from gateway.sources import Sources
from gateway.sources.cdevents import CDEvents
from gateway.sources.ctoai import CtoAi
from gateway.sources.ibm import Ibm
from gateway.sources.incidents import Incidents
from gateway.sources.reading import Reader
from gateway.sources.source import Source
from gateway.sources.tracker import Tracker
from gateway.web.application import create_application


@dataclass(frozen=True, slots=True)
class Gateway:
    """Everything of one process. The publisher is not started yet: that belongs after a fork."""

    settings: Settings
    schemas: SchemaStore
    router: Router
    pipeline: Pipeline
    publisher: Publisher
    application: Flask


def build(settings: Settings, publisher: Publisher | None = None) -> Gateway:
    """Build a gateway from settings. Raises SettingsError for what only shows when the parts meet."""
    store = SchemaStore(schemas.folder())
    sources = build_sources(settings, store)
    router = build_router(settings, store, sources)
    publisher = publisher or build_publisher(settings, router)
    metrics = Metrics()
    pipeline = Pipeline(
        reader=Reader(store, settings.max_batch_events, sources.lenient),
        sources=sources,
        schemas=store,
        router=router,
        publisher=publisher,
        metrics=metrics,
        max_record_bytes=settings.max_record_bytes,
    )
    application = create_application(
        settings=settings, pipeline=pipeline, publisher=publisher, metrics=metrics, schemas=store
    )
    return Gateway(settings, store, router, pipeline, publisher, application)


def build_sources(settings: Settings, store: SchemaStore) -> Sources:
    """Give the systems that are switched on."""
    makers: Mapping[str, Callable[[], Source]] = {
        "cdevents": lambda: CDEvents(store, lenient_identity=settings.cdevents_lenient_identity),
        "ctoai": CtoAi,
        "ibm": Ibm,
        "tracker": lambda: Tracker(status_table=settings.tracker_status_table),
        "incidents": Incidents,
    }
    return Sources([makers[name]() for name in settings.systems])


def build_router(settings: Settings, store: SchemaStore, sources: Sources) -> Router:
    """Give the declared table of topics."""
    naming = Naming(
        prefix=settings.topic_prefix,
        template=settings.topic_template,
        type_prefix=settings.type_prefix,
        structured=settings.content_mode == "structured",
        dataschema=store.id(schemas.ENVELOPE),
    )
    try:
        return Router(sources.pairs(), naming)
    except ValueError as error:
        names = " and ".join(map(settings_module.variable, ("topic_prefix", "topic_template")))
        raise SettingsError([f"{names}: {error}"]) from None


def build_publisher(settings: Settings, router: Router) -> Publisher:
    """Kafka where brokers are named, else the local log."""
    if settings.kafka_bootstrap_servers:
        return KafkaPublisher(settings, router.topics())
    return LocalLog(
        settings.data_dir,
        disk_timeout=settings.disk_timeout_ms / 1_000,
        max_in_flight_bytes=settings.max_in_flight_bytes,
    )


def start(settings: Settings) -> Gateway:
    """Build, and start publishing: what a worker process does after its fork."""
    logs.configure(settings.log_level)
    gateway = build(settings)
    gateway.publisher.start()
    return gateway
