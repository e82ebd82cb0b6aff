"""The Flask application: the door that does everything, and the only place that knows Flask's requests."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Flask, Response, g, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

from gateway.errors import GatewayError, MethodNotAllowed, NotFound, Refusal
from gateway.metrics import Metrics
from gateway.model import Publisher
from gateway.schemas import SchemaStore
from gateway.settings import Settings
from gateway.web import answers, body
from gateway.web.answers import Answer
from gateway.web.body import Body
from gateway.web.door import Door, fault, named, new_id
from gateway.web.operations import operations
from gateway.web.routes import Intake, intakes

logger = logging.getLogger(__name__)

_PIECE = 65_536


def create_application(
    *, settings: Settings, door: Door, publisher: Publisher, metrics: Metrics, schemas: SchemaStore
) -> Flask:
    """Join the routes to the door."""
    app = Flask("gateway", static_folder=None)
    app.url_map.merge_slashes = False  # a path is what it is: no redirects, which senders do not follow
    served = intakes(settings.systems)
    for intake in served:
        _add(app, intake.method, intake.rule, _taking(door, intake))
    for rule in dict.fromkeys(intake.rule for intake in served):
        _add(app, "OPTIONS", rule, _consenting(door, rule))
    app.register_blueprint(operations(publisher, metrics, schemas))
    app.before_request(_begin)
    app.register_error_handler(GatewayError, _problem)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _fault)
    app.after_request(_end)
    return app


def response(answer: Answer) -> Response:
    """Give Flask's form of an answer."""
    made = Response(answer.body, answer.status, content_type=answer.content_type)
    made.headers.extend(answer.headers)
    return made


def _add(app: Flask, method: str, rule: str, view: Callable[..., Response]) -> None:
    app.add_url_rule(rule, f"{method} {rule}", view, methods=[method], provide_automatic_options=False)


def _taking(door: Door, intake: Intake) -> Callable[..., Response]:
    def view(resource: str | None = None) -> Response:
        arrival = door.arrive(intake, request.path, _headers(), resource, _query())
        try:
            reading = door.body(arrival)
            _read(reading)
        except Refusal as refusal:
            return response(door.refuse(arrival, refusal))
        try:
            return response(door.take(arrival, reading).result(door.longest_wait))
        except TimeoutError:
            return response(door.late(arrival))

    return view


def _consenting(door: Door, rule: str) -> Callable[..., Response]:
    def view(resource: str | None = None) -> Response:
        return response(door.consent(rule, _headers(), _query()))

    return view


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}


def _query() -> str:
    return request.query_string.decode("latin-1")


def _read(reading: Body) -> None:
    """Read all of the body: Werkzeug cuts long bodies and takes short ones silently.

    gunicorn reads what is left of a refused body before the next request of the connection.
    """
    stream = request.environ["wsgi.input"]
    if reading.announced is None and not request.environ.get("wsgi.input_terminated"):
        return
    try:
        while reading.missing > 0 and (piece := stream.read(min(_PIECE, reading.missing))):
            reading.feed(piece)
    except (OSError, ParseException) as error:
        raise body.broken(error) from error


def _begin() -> None:
    g.request_id = new_id()
    if request.environ.get("PATH_INFO", "").startswith("//"):  # Werkzeug would take them for one
        raise NotFound("there is nothing at this path; it begins with two slashes")


def _end(made: Response) -> Response:
    made.headers.setdefault("X-Request-Id", g.request_id)
    return made


def _problem(error: GatewayError) -> Response:
    logger.info("refused", extra={"request": g.request_id, "type": error.type, "path": request.path})
    return response(named(answers.problem(error, g.request_id), g.request_id))


def _http_problem(error: HTTPException) -> Response:
    """Put Flask's own refusals into the one form."""
    if error.code == 405:
        made = _problem(MethodNotAllowed("this path does not take that method; see the Allow header"))
        made.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return made
    if error.code == 404:
        return _problem(NotFound("there is nothing at this path; events go to POST /events"))
    return _fault(error)


def _fault(error: Exception) -> Response:
    return response(fault(error, g.request_id))
