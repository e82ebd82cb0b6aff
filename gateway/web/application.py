"""The Flask application: the door that does everything, and the only place that knows Flask's requests."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from concurrent.futures import TimeoutError as WaitTimeout
from datetime import UTC, datetime

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from gateway.errors import (
    GatewayError,
    InternalError,
    InvalidEncoding,
    MethodNotAllowed,
    NotFound,
    Refusal,
    Unavailable,
)
from gateway.keeper import Quarantined
from gateway.metrics import Metrics
from gateway.model import Message, Outcome, Publisher
from gateway.pipeline import Pipeline
from gateway.schemas import SchemaStore
from gateway.settings import Settings
from gateway.web import answers, handshake
from gateway.web.body import read_body
from gateway.web.operations import operations
from gateway.web.routes import INTAKES, Intake, methods

logger = logging.getLogger(__name__)

REQUEST_ID = "X-Request-Id"
_MARGIN_SECONDS = 0.25


def create_application(
    *,
    settings: Settings,
    pipeline: Pipeline,
    publisher: Publisher,
    metrics: Metrics,
    schemas: SchemaStore,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Flask:
    """Join the routes to the pipeline."""
    app = Flask("gateway", static_folder=None)
    app.url_map.merge_slashes = False  # a path is what it is: no redirects, which senders do not follow
    door = _Door(settings, pipeline, metrics, now)
    intakes = [intake for intake in INTAKES if intake.system in (None, *settings.systems)]
    for intake in intakes:
        app.add_url_rule(
            intake.rule,
            intake.endpoint,
            door.take(intake),
            methods=[intake.method],
            provide_automatic_options=False,
        )
    for rule in dict.fromkeys(intake.rule for intake in intakes):
        app.add_url_rule(
            rule,
            f"OPTIONS {rule}",
            door.consent(rule),
            methods=["OPTIONS"],
            provide_automatic_options=False,
        )
    app.register_blueprint(operations(publisher, metrics, schemas))
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(GatewayError, _problem)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _fault)
    return app


class _Door:
    def __init__(
        self, settings: Settings, pipeline: Pipeline, metrics: Metrics, now: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._pipeline = pipeline
        self._metrics = metrics
        self._now = now
        self._longest_wait = (settings.ack_budget_ms + settings.disk_timeout_ms) / 1_000 + _MARGIN_SECONDS

    def take(self, intake: Intake) -> Callable[..., Response]:
        def view(resource: str | None = None) -> Response:
            waiting = self._pipeline.accept(self._message(intake, resource))
            try:
                taken = waiting.result(self._longest_wait)
            except WaitTimeout as error:
                raise Unavailable("the event could not be stored in time") from error
            if isinstance(taken, Quarantined):
                _log(logging.INFO, "quarantined", taken.refusal)
                return answers.quarantined(taken, g.request_id)
            return answers.receipts(taken)

        return view

    def consent(self, rule: str) -> Callable[..., Response]:
        def view(resource: str | None = None) -> Response:
            return handshake.answer(request.headers, self._settings.allowed_origins, methods(rule))

        return view

    def _message(self, intake: Intake, resource: str | None) -> Message:
        received = self._now()
        try:
            if resource is not None and "\ufffd" in resource:  # Werkzeug's stand-in for other bytes
                raise InvalidEncoding("the id in the path is not valid UTF-8")
            body = read_body(request, self._settings.max_body_bytes)
        except Refusal:
            self._metrics.count("unknown", Outcome.REJECTED)
            raise
        return Message(
            headers={name.lower(): value for name, value in request.headers},
            body=body,
            id=g.request_id,
            received=received,
            system=intake.system,
            resource=resource,
            update=intake.update,
        )


def _begin() -> None:
    g.request_id = str(uuid.uuid4())


def _end(response: Response) -> Response:
    response.headers[REQUEST_ID] = g.request_id
    return response


def _problem(error: GatewayError) -> Response:
    if isinstance(error, Refusal):
        _log(logging.INFO, "refused", error)
    else:
        _log(logging.WARNING, "failed", error)
    return answers.problem(error, g.request_id)


def _log(level: int, event: str, error: GatewayError) -> None:
    told = {
        "request": g.request_id,
        "type": error.type,
        "systems": sorted(set(error.systems)),
        "path": request.path,
    }
    logger.log(level, event, extra=told)


def _http_problem(error: HTTPException) -> Response:
    """Put Flask's own refusals into the one form."""
    if error.code == 405:
        answer = _problem(MethodNotAllowed("this path does not take that method; see the Allow header"))
        allowed = getattr(error, "valid_methods", None) or ()
        answer.headers["Allow"] = ", ".join(sorted(allowed))
        return answer
    if error.code == 404:
        return _problem(NotFound("there is nothing at this path; events go to POST /events"))
    return _fault(error)


def _fault(error: Exception) -> Response:
    logger.error("unexpected error", exc_info=error, extra={"request": g.request_id})
    return answers.problem(InternalError("the gateway failed; the request id is in its log"), g.request_id)
