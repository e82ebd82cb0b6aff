"""HTTP/1.1 on a connection: what llhttp and uvicorn let through is refused as gunicorn would refuse it."""

from __future__ import annotations

import asyncio
import logging
from math import inf
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.errors import BadRequest, GatewayError, InternalError, MalformedBody
from gateway.framing import HeadersTooLarge
from gateway.web import answers
from gateway.web.answers import Answer
from gateway.web.connection import Connection
from gateway.web.deadlines import PACE, Limits
from gateway.web.http_cycle import Cycle
from gateway.web.prompt import WHOLE_BYTES, Awaited, Prompt, Whole
from gateway.web.request_head import MAX_HEAD, RequestHead

logger = logging.getLogger(__name__)


class GatewayProtocol(Connection):
    """The bytes of one connection, and what the parser finds in them."""

    def __init__(
        self,
        limits: Limits,
        prompt: Prompt | None,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Take requests that come whole by ``prompt``, all others by the ASGI application of ``config``."""
        super().__init__(limits, config, server_state, app_state, _loop)
        self._prompt = prompt
        self._whole: Whole | None = None  # one that may come whole in this segment
        self._one_more = False  # whether another in this segment may be taken at once
        self._head = RequestHead()
        self._unparsed = 0  # bytes since the last request or piece of a body
        self._body_due = inf
        self._muted = False  # the parser reads a head of our own

    # -- bytes ----------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Parse what comes."""
        if self._deaf:
            return
        self._unparsed += len(data)
        self._one_more = True
        try:
            self._feed(data)
        except httptools.HttpParserCallbackError as error:
            self._fail(_known(error.__context__ or error))
        except httptools.HttpParserError as error:
            self._fail(BadRequest(f"this is not HTTP: {error}"))
        else:
            if self._unparsed > MAX_HEAD:  # an endless header, chunk extension or trailer
                self._fail(HeadersTooLarge(f"the headers may have {MAX_HEAD} bytes together"))
            elif self._whole is not None:
                self._begin_in_pieces()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.parser.get_method() == b"CONNECT":
                self._deaf = True
                return
            self._ignore_upgrade()
            if rest := data[upgrade.args[0] :]:
                self._feed(rest)

    def _ignore_upgrade(self) -> None:
        """Read on as if no upgrade had been asked for: llhttp takes the body for another protocol.

        Java's HTTP client asks for HTTP/2 in this way with its first request, a POST like any other.
        """
        self.parser = httptools.HttpRequestParser(self)
        if framing := self._head.framing:
            self._muted = True
            self.parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n\r\n" % framing)
            self._muted = False

    def _fail(self, error: GatewayError) -> None:
        """Refuse what cannot be parsed, with the answer to its request where that has begun."""
        if self._in_head or not self._busy:
            self._refuse(error)
        elif self.cycle.more_body:
            self._deaf = True
            self.cycle.end(MalformedBody(f"the body broke off: {error.detail}"))

    # -- what the parser finds ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        if not self._muted:
            self._head, self._in_head = RequestHead(), True
            self._wait(self._limits.read_seconds)

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        if not self._muted:
            self._head.extend_target(self.parser.get_method(), url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which is thrown away."""
        if not self._muted:
            self._head.add(name, value, kept=self._in_head)

    def on_headers_complete(self) -> None:
        """The request can be started, or queued behind the one before it on this connection."""
        if self._muted:
            return
        version, method = self.parser.get_http_version(), self.parser.get_method()
        self._head.check(version)
        self._in_head, self._unparsed = False, 0
        if not self._may_be_whole(version, method):
            self._begin(version, method)

    def _may_be_whole(self, version: str, method: bytes) -> bool:
        """Note a request that may be taken at once, if the rest of it is here. One a segment: what follows it
        waits for its turn as a task.
        """
        head = self._head
        length = head.length
        if self._prompt is None or length is None or length > WHOLE_BYTES or not self._one_more:
            return False
        if self._busy or version != "1.1" or head.expects_continue or self.flow.write_paused:
            return False
        if self.parser.should_upgrade():
            return False
        path, _, query = head.split_target()
        found = self._prompt.find(method.decode("ascii"), path)
        if found is not None:
            self._whole = Whole(method, found, path, query.decode("latin-1"), head.headers)
        return found is not None

    def _begin_in_pieces(self) -> None:
        """Not all of it is here."""
        whole, self._whole = self._whole, None
        if whole is not None:
            self._begin("1.1", whole.method)
            for piece in whole.pieces:
                self.on_body(piece)

    def _begin(self, version: str, method: bytes) -> None:
        """Start a task for the request, or queue it."""
        before = self.cycle
        self.cycle = self._new_cycle(version, method)
        self._body_due = self.loop.time() + self._limits.read_seconds
        self.due = self._body_due
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _take(self, prompt: Prompt, whole: Whole) -> None:
        """Take a request that came whole."""
        self._whole, self._one_more, self.due = None, False, inf
        kept = self.parser.should_keep_alive() and not self._stopping
        awaited = self.cycle = Awaited(self._answer, keep_alive=kept)  # type: ignore[assignment]
        prompt.take(whole, awaited)

    def _answer(self, awaited: Awaited, answer: Answer) -> None:
        if awaited.disconnected or self.transport.is_closing():
            return
        more = self.server_state.default_headers
        self.transport.write(answers.on_the_wire(answer, more, keep_alive=awaited.keep_alive))
        if not awaited.keep_alive:
            self._finish()
        self.on_response_complete()

    def _new_cycle(self, version: str, method: bytes) -> Cycle:
        kept = version != "1.0" and self.parser.should_keep_alive() and method != b"CONNECT"
        return Cycle(
            scope=self._scope(version, method),
            transport=self._exit,  # type: ignore[arg-type]
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self._head.expects_continue and version != "1.0",
            keep_alive=kept and not self._stopping,
            on_response=self.on_response_complete,
        )

    def _scope(self, version: str, method: bytes) -> Any:
        path, raw_path, query = self._head.split_target()
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "method": method.decode("ascii"),
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self._head.headers,
        }

    def on_body(self, body: bytes) -> None:
        """A piece of the body: the next must follow soon, and the average must keep the pace."""
        self._unparsed = 0
        if self._whole is not None:
            self._whole.pieces.append(body)
            return
        self._body_due += len(body) / PACE
        self.due = min(self._body_due, self.loop.time() + self._limits.read_seconds)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of the request is here; to answer takes as long as it takes."""
        if self.parser.should_upgrade() and self._head.framing and not self._muted:
            return  # it only seems so, see _ignore_upgrade
        if self._whole is not None and self._prompt is not None:
            self._take(self._prompt, self._whole)
            return
        self.due = inf
        super().on_message_complete()

    def _should_upgrade(self) -> bool:
        """Never: there is no other protocol here, and what asks for one is answered as it stands."""
        return False

    def on_response_complete(self) -> None:
        """Wait for the next request, or start the one that waits."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
            self._body_due = self.loop.time() + self._limits.read_seconds
            self.due = self._body_due if cycle.more_body else inf
        elif not self._deaf:
            self._wait(self._limits.read_seconds if self._in_head else self._limits.idle_seconds)


def _known(error: BaseException) -> GatewayError:
    """Give what a callback of the parser has raised; a bug is no fault of the sender's."""
    if isinstance(error, GatewayError):
        return error
    logger.error("a request could not be begun", exc_info=error)
    return InternalError("the gateway failed on this request; its log has the rest")
