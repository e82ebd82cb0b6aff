"""Everything that can go wrong, as a tree of classes that know what follows.

GatewayError            has a problem type, a status and a title (RFC 9457)
    Refusal             the request cannot be taken as it is: 4xx, or 501 for an unknown coding of HTTP; sent
                        again it is refused again, but for 408 and 429
    Failure             the gateway or Kafka is at fault: 503 with Retry-After, sending it again is safe
SettingsError           stops the start, naming every fault
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from gateway.model import Fault, Outcome, Problem


class GatewayError(Exception):
    """A request that ends without a receipt.

    ``problems`` lists everything wrong, in document order. ``systems`` names the system of every event that
    ends with this error. ``outcomes`` says how each event of a request ended, when not all ended alike.
    ``fault`` is that of its class, unless whoever raises or passes it on knows better.
    """

    type: ClassVar[str]
    status: ClassVar[int]
    title: ClassVar[str]
    retry_after: int | None = None
    fault: Fault = Fault.SENDER

    def __init__(self, detail: str, problems: Iterable[Problem] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems: Sequence[Problem] = tuple(problems)
        self.systems: tuple[str, ...] = ("unknown",)
        self.outcomes: tuple[Outcome, ...] = ()


class Refusal(GatewayError):
    """The request must change before it is sent again; for RequestTimeout and RateLimited, only its pace."""


class Failure(GatewayError):
    """The fault is on our side; the same request may be sent again, and that is safe."""

    status = 503
    retry_after = 5


# -- the request itself -------------------------------------------------------------------------------------


class BadRequest(Refusal):
    """A request that breaks HTTP (RFC 9112), as one without a Host header does."""

    type, status, title = "bad-request", 400, "The request breaks HTTP"


class NotFound(Refusal):
    """No such path, or the system of this path is switched off."""

    type, status, title = "not-found", 404, "There is nothing at this path"


class MethodNotAllowed(Refusal):
    """The path exists, the method does not; the ``Allow`` header names those that do."""

    type, status, title = "method-not-allowed", 405, "This path does not take that method"


class TooLarge(Refusal):
    """A body, packed or unpacked, a batch, a group or a normalised record over its limit."""

    type, status, title = "too-large", 413, "The request is larger than this gateway accepts"
    fault = Fault.MAPPING


class UnsupportedMediaType(Refusal):
    """A Content-Type, or a CloudEvents data content type, that is not JSON."""

    type, status, title = "unsupported-media-type", 415, "The content type is not one this gateway reads"


class UnsupportedCharset(Refusal):
    """JSON on the wire is UTF-8 (RFC 8259 section 8.1)."""

    type, status, title = "unsupported-charset", 415, "The body must be UTF-8"


class UnsupportedEncoding(Refusal):
    """A Content-Encoding other than gzip, or a Transfer-Encoding other than chunked."""

    type, status, title = "unsupported-encoding", 415, "The content encoding is not one this gateway undoes"


class IncompleteBody(Refusal):
    """Fewer bytes came than Content-Length announced."""

    type, status, title = "incomplete-body", 400, "The body is shorter than announced"


class RequestTimeout(Refusal):
    """The request stopped coming, or came too slowly; it may be sent again."""

    type, status, title = "request-timeout", 408, "The request did not come in time"


class MalformedBody(Refusal):
    """The transfer coding, the gzip coding or the form of the body is broken."""

    type, status, title = "malformed-body", 400, "The body could not be read"


# -- JSON ---------------------------------------------------------------------------------------------------


class MalformedJson(Refusal):
    """Not one JSON text (RFC 8259)."""

    type, status, title = "malformed-json", 400, "The body is not JSON"


class InvalidEncoding(Refusal):
    """Bytes that are not UTF-8, or an escaped lone surrogate."""

    type, status, title = "invalid-encoding", 400, "The body is not valid UTF-8"


class DuplicateKey(Refusal):
    """An object names a member twice, so readers would disagree about its value."""

    type, status, title = "duplicate-key", 400, "A JSON object names a member twice"


class NumberOutOfRange(Refusal):
    """A number that readers would not agree on."""

    type, status, title = "number-out-of-range", 400, "A number is out of range"


class TooDeep(Refusal):
    """Nested deeper than the limit."""

    type, status, title = "too-deep", 400, "The JSON is nested too deeply"


class TooComplex(Refusal):
    """An object or array with more members than the limit, or an absurdly long name."""

    type, status, title = "too-complex", 400, "The JSON has too many members"


# -- CloudEvents --------------------------------------------------------------------------------------------


class InvalidCloudEvent(Refusal):
    """The CloudEvents attributes break CloudEvents 1.0."""

    type, status, title = "invalid-cloudevent", 400, "The CloudEvent is not valid"


class UnsupportedSpecversion(Refusal):
    """A CloudEvents version other than 1.0."""

    type, status, title = "unsupported-specversion", 400, "Only CloudEvents 1.0 is read"


class InvalidTime(Refusal):
    """The CloudEvents ``time`` is not RFC 3339."""

    type, status, title = "invalid-time", 400, "The time is not RFC 3339"


class InvalidCharacter(Refusal):
    """A control or invisible character, or too many characters, in a name that becomes a key or header."""

    type, status, title = "invalid-character", 400, "A name cannot be used as a key or header"


class BatchInvalid(Refusal):
    """At least one member of a batch is refused, so none was published."""

    type, status, title = "batch-invalid", 422, "A batch is taken whole or not at all"


# -- the sender's document ----------------------------------------------------------------------------------


class Unrecognised(Refusal):
    """No switched-on system claims the document."""

    type, status, title = "unrecognised", 422, "No system recognises this document"
    fault = Fault.MAPPING


class Ambiguous(Refusal):
    """Two systems claim the document; a pinned path decides."""

    type, status, title = "ambiguous-dialect", 422, "More than one system recognises this document"
    fault = Fault.MAPPING


class UnknownEventType(Refusal):
    """An event type, or a version of one, that there is no schema for."""

    type, status, title = "unknown-event-type", 422, "The event type or its version is not known"
    fault = Fault.MAPPING


class SchemaViolation(Refusal):
    """The document breaks the schema of its system."""

    type, status, title = "schema-violation", 422, "The document does not match its schema"


class EnvelopeMismatch(Refusal):
    """The CloudEvents attributes and the document inside disagree."""

    type, status, title = "envelope-mismatch", 422, "The CloudEvent and the document inside it disagree"


class RecordRefused(Refusal):
    """Kafka refuses the event for good."""

    type, status, title = "record-refused", 422, "Kafka does not take this event"
    fault = Fault.BROKER


# -- ours ---------------------------------------------------------------------------------------------------


class Unavailable(Failure):
    """The event could not be made durable in time. It may have been written all the same."""

    type, title = "unavailable", "The event could not be stored; send it again"


class Overloaded(Failure):
    """Too much is in flight already; this event was not taken."""

    type, title = "overloaded", "The gateway is overloaded; send it again"
    retry_after = 1


class InternalError(Failure):
    """A fault of the gateway's own, logged with its request id."""

    type, title = "internal-error", "The gateway made a mistake; send it again"
    fault = Fault.MAPPING


class SettingsError(Exception):
    """The settings cannot be used. ``faults`` holds one line for each thing to mend."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)
