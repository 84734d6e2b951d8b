"""The dashboard page's files as answers to HTTP requests, for the feed's server and for the call server.

Any thread may call anything here. Files are read once, from the package.

Invariants:

- Only what is in the table of files can be had: a path is looked up and never turned into a file name.
- Files lie below a folder that is named by the digest of all of them, and modules name each other relatively. So a browser
  may keep each for ever, and after an upgrade no page has files of two versions. The page itself, at ``/``, is never kept.
- A page at ``/`` runs its own files and nothing else, and speaks to its own host only: the policy in ``POLICY``.
- Nothing here is secret, so no token is asked for. What is secret is behind the feed's authentication, and the page asks at
  ``ADMISSION`` how that would answer, because a browser does not tell a page why a websocket was refused; at
  ``SOUND_ADMISSION`` it asks the same of the way in for sound.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from importlib import resources

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

PAGE = "/"
FOLDER = "/web/"
ADMISSION = "/web/door"
SOUND_ADMISSION = "/web/sound"
PATIENCE_S = 20.0  # how long a file may take to leave; on its way to a telephone it does
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
}
# 'self' in connect-src covers ws: and wss: of the page's own host and port (CSP 3; every browser since 2022).
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
ALLOWED = (
    "microphone=(self), camera=(), geolocation=()"  # the page may ask for a microphone, and nothing framed by it may
)
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    kind: str  # content type
    etag: str


@functools.cache
def version() -> str:
    """The digest that names the folder of the files: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, body in sorted(_read().items()):
        digest.update(f"{name}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()[:16]


@functools.cache
def table() -> Mapping[str, Asset]:
    """Every file by the path it is served at."""
    files = _read()
    page = files.pop("index.html").replace(b"{version}", version().encode())
    served = {PAGE: (page, ".html")}
    served |= {f"{FOLDER}{version()}/{name}": (body, name[name.rindex(".") :]) for name, body in files.items()}
    return {
        path: Asset(body, TYPES[suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
        for path, (body, suffix) in served.items()
    }


def answer(connection: ServerConnection, request: Request) -> Response | None:
    """Answer a request for one of the page's files; None where it is for something else."""
    path = request.path.partition("?")[0]
    asset = table().get(path)
    if asset is None:
        return None
    if getattr(request, "method", "GET") != "GET":  # the library refuses others by itself before version 17
        return _response(HTTPStatus.METHOD_NOT_ALLOWED, b"", {"Allow": "GET"})
    connection.close_timeout = PATIENCE_S  # the library closes a connection so long after its last answer
    headers = {"ETag": asset.etag}
    if path == PAGE:
        headers |= {"Cache-Control": "no-store", "Content-Security-Policy": POLICY, "Permissions-Policy": ALLOWED}
    else:
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    if asset.etag in [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]:
        return _response(HTTPStatus.NOT_MODIFIED, b"", headers)
    return _response(HTTPStatus.OK, asset.body, {"Content-Type": asset.kind, **headers})


def as_page(headers: Headers) -> Headers:
    """The headers with which the page would ask for the feed: what asks for admission names its site in a header of its own."""
    told = headers.copy()
    if "X-Page-Origin" in told and "Origin" not in told:
        told["Origin"] = told["X-Page-Origin"]
    return told


def admission(
    status: HTTPStatus | None,
    text: str = "",
    subprotocol: str | None = None,
    *,
    tenant: str | None = None,
    history: bool = False,
) -> Response:
    """Tell the page how the feed would answer it.

    ``status`` is that of a refusal with its ``text``, None where the feed is open; ``subprotocol`` is what the websocket must
    name beside a token, None where tokens mean nothing. ``tenant`` is whose calls they are, ``history`` whether those that are
    over can be asked for.
    """
    return _admission(status, text, subprotocol, tenant=tenant, history=history)


def sound_admission(
    status: HTTPStatus | None,
    text: str = "",
    subprotocol: str | None = None,
    *,
    at_once: bool,
    stored_days: float | None = None,
) -> Response:
    """Tell the page how the way in for sound would answer it: as ``admission``, and what the page says to whoever speaks.

    ``at_once`` says whether a recording may come faster than real time, ``stored_days`` for how long results are kept.
    """
    return _admission(status, text, subprotocol, at_once=at_once, stored_days=stored_days)


def _admission(status: HTTPStatus | None, text: str, subprotocol: str | None, **more: object) -> Response:
    told = {"status": 200 if status is None else int(status), "text": text.strip(), "subprotocol": subprotocol, **more}
    return answer_json(HTTPStatus.OK, told)


def answer_json(status: HTTPStatus, value: object) -> Response:
    """Answer a page's request with a value that JSON can say. Nothing of it is kept by browsers."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return _response(status, json.dumps(value, allow_nan=False, separators=(",", ":")).encode(), headers)


def answer_file(body: bytes, name: str, kind: str = "application/octet-stream") -> Response:
    """Answer with a file to be saved. ``name`` must be of letters, digits, dots, dashes and underscores."""
    headers = {"Content-Type": kind, "Cache-Control": "no-store"}
    return _response(HTTPStatus.OK, body, headers | {"Content-Disposition": f'attachment; filename="{name}"'})


def answer_refusal(status: HTTPStatus, text: str) -> Response:
    """Answer a page's request with why it is refused."""
    headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store"}
    return _response(status, text.encode(), headers)


def _response(status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> Response:
    sent = Headers({"Date": formatdate(usegmt=True), "Connection": "close", **COMMON, **headers})
    if status is not HTTPStatus.NOT_MODIFIED:
        sent["Content-Length"] = str(len(body))
    return Response(status.value, status.phrase, sent, body)


def _read() -> dict[str, bytes]:
    root = resources.files("stream_ser.web")
    found = {
        f"{folder}{file.name}": file.read_bytes()
        for folder, place in (("", root), ("vendor/", root / "vendor"))
        for file in place.iterdir()
        if file.name.endswith(tuple(TYPES))
    }
    return found
