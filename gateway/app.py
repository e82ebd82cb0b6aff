"""Builds every part once and joins them; nothing else in the program makes a collaborator."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask

from gateway import publishers, schemas, sources, tracing
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
from gateway.model import Publisher
from gateway.notices import Notices
from gateway.pipeline import Pipeline
from gateway.publishing.poller import Poller
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
    poller = Poller()
    publisher = publisher or publishers.build(
        settings, router.topics(), step_aside=dead_letters.of_record, metrics=metrics, poller=poller
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
    asgi = AsgiDoor(settings, door, application, poller)
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
        dataschema=store.ids[schemas.ENVELOPE],
        dead_letter_schema=store.ids[schemas.DEADLETTER],
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
