"""The contracts over HTTP: documents for machines, and one page for people that needs no script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, render_template, request

from gateway import problems
from gateway.contracts import Contracts, catalogue
from gateway.contracts.parts import VERSION
from gateway.contracts.responses import meaning
from gateway.contracts.samples import Request
from gateway.errors import NotFound
from gateway.web.answers import json_answer

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_POLICY = (
    "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")


def pages(contracts: Contracts) -> Blueprint:
    """Give /openapi.json, /asyncapi.json, /topics.json, /samples/<path> and /docs."""
    blueprint = Blueprint("contracts", __name__, template_folder="templates")

    @blueprint.get("/openapi.json", provide_automatic_options=False)
    def openapi() -> Response:
        return _json(contracts.openapi)

    @blueprint.get("/asyncapi.json", provide_automatic_options=False)
    def asyncapi() -> Response:
        return _json(contracts.asyncapi)

    @blueprint.get("/topics.json", provide_automatic_options=False)
    def topics() -> Response:
        return _json(catalogue.document(contracts.topics))

    @blueprint.get("/samples", provide_automatic_options=False)
    @blueprint.get("/samples/", provide_automatic_options=False)
    def sample_names() -> Response:
        return _json({"samples": [f"/samples/{name}" for name in contracts.samples]})

    @blueprint.get("/samples/<path:name>", provide_automatic_options=False)
    def sample(name: str) -> Response:
        if name not in contracts.samples:
            raise NotFound("there is no such sample; /samples/ lists them")
        return _json(contracts.samples[name].document())

    @blueprint.get("/docs", provide_automatic_options=False)
    def docs() -> Response:
        return _page(_rendered(contracts, _base(contracts.parts.settings.bind)))

    return blueprint


@lru_cache(maxsize=4)  # by the address that readers come by, which any of them can make up
def _rendered(contracts: Contracts, base: str) -> str:
    parts = contracts.parts
    return render_template(
        "docs.html",
        version=VERSION,
        base=base,
        parts=parts,
        sources=list(parts.pipeline.sources),
        topics=contracts.topics,
        schemas=list(parts.pipeline.schemas.texts),
        samples=[(sample, _curl(base, sample.request), _shown(sample.document()["record"]))
                 for sample in contracts.samples.values()],
        problems=[(kind, meaning(kind)) for kind in problems.types()],
    )  # fmt: skip


def _page(text: str) -> Response:
    style = _STYLE.search(text)
    digest = base64.b64encode(hashlib.sha256((style[1] if style else "").encode()).digest()).decode()
    made = Response(text, content_type="text/html; charset=utf-8")
    made.headers["Content-Security-Policy"] = _POLICY.format(digest)
    made.headers["X-Content-Type-Options"] = "nosniff"
    made.headers["Referrer-Policy"] = "no-referrer"
    return made


def _base(bind: str) -> str:
    """The address that the reader came by, unless it is none that belongs into a command."""
    return request.host_url.rstrip("/") if _HOST.fullmatch(request.host) else f"http://{bind}"


def _curl(base: str, sent: Request) -> str:
    method = [] if sent.method == "POST" else ["-X", sent.method]
    lines = [shlex.join(["curl", f"{base}{sent.path}", *method])]
    lines += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in sent.headers.items()]
    lines.append(f"-d {shlex.quote(sent.body.decode())}")
    return " \\\n  ".join(lines)


def _shown(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _json(document: Any) -> Response:
    answer = json_answer(document, 200)
    return Response(answer.body, answer.status, content_type=answer.content_type)
