"""Who may come in, decided before the websocket handshake from the request alone; what is refused is counted by name.

One event loop asks. A browser cannot send ``Authorization`` with a websocket, so it may name its token as a subprotocol:
``new WebSocket(url, ["stream-ser", "bearer.TOKEN"])``. Never in the address, which ends up in logs.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from websockets.datastructures import Headers

from stream_ser.calls.events import RefusedError
from stream_ser.calls.protocols.message_signature import UsedNonces, api_key_ok, check_signature
from stream_ser.calls.protocols.twilio_signature import SETTINGS, SIGNATURE, TwilioKeys
from stream_ser.errors import ConfigError
from stream_ser.feed.admission import same_host, same_origin
from stream_ser.feed.loopback import host_name, is_foreign
from stream_ser.server.config import ServeConfig
from stream_ser.server.rejection import Refusal, RefusalCounter
from stream_ser.server.token_file import TokenFile
from stream_ser.server.tokens import LOCAL, Grant, Role, bearer

SUBPROTOCOL, BEARER = "stream-ser", "bearer."
ONCE = (  # what decides who comes in may not be said twice, in two ways
    "Authorization",
    "Host",
    "Origin",
    "X-API-KEY",
    "X-Forwarded-Proto",
    SIGNATURE,
    SETTINGS,
    "Audiohook-Organization-Id",
    "Audiohook-Session-Id",
)
SLASHED = ("/v1/audio/", "/v1/twilio/", "/v1/audiohook/", "/v1/asterisk/", "/v1/vonage/")
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")
STATUS = {
    "not-through-proxy": HTTPStatus.FORBIDDEN,
    "not-encrypted": HTTPStatus.FORBIDDEN,
    "undeclared-proxy": HTTPStatus.FORBIDDEN,
    "wrong-origin": HTTPStatus.FORBIDDEN,
    "token-wrong-role": HTTPStatus.FORBIDDEN,
    "token-missing": HTTPStatus.UNAUTHORIZED,
    "token-unknown": HTTPStatus.UNAUTHORIZED,
    "token-expired": HTTPStatus.UNAUTHORIZED,
    "unsigned": HTTPStatus.UNAUTHORIZED,
    "wrong-signature": HTTPStatus.UNAUTHORIZED,
    "wrong-api-key": HTTPStatus.UNAUTHORIZED,
    "replayed": HTTPStatus.UNAUTHORIZED,
    "not-offered": HTTPStatus.NOT_FOUND,
    "unknown-call": HTTPStatus.NOT_FOUND,
    "unknown-alert": HTTPStatus.NOT_FOUND,
    "history-off": HTTPStatus.NOT_FOUND,
    "wrong-tenant": HTTPStatus.FORBIDDEN,
    "wrong-host": HTTPStatus.FORBIDDEN,
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "too-many-readers": HTTPStatus.SERVICE_UNAVAILABLE,
    "wrong-method": HTTPStatus.METHOD_NOT_ALLOWED,
    "call-open": HTTPStatus.CONFLICT,
    "bad-wish": HTTPStatus.BAD_REQUEST,
    "repeated-header": HTTPStatus.BAD_REQUEST,
    "draining": HTTPStatus.SERVICE_UNAVAILABLE,
    "too-many-subscribers": HTTPStatus.SERVICE_UNAVAILABLE,
    "too-many-deletions": HTTPStatus.SERVICE_UNAVAILABLE,
    "too-many-unidentified": HTTPStatus.SERVICE_UNAVAILABLE,
    "too-many-of-address": HTTPStatus.SERVICE_UNAVAILABLE,
    "too-many-why": HTTPStatus.SERVICE_UNAVAILABLE,
    "store-unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}

NO_PAGES = (
    "sound comes from programs, not from pages of other sites; if yours is a program, its library sends Origin by itself: "
    "switch that off (websocket-client: suppress_origin=True), or send Authorization: Bearer with a token"
)

_log = logging.getLogger("stream_ser.server")


@dataclass(frozen=True, slots=True)
class Request:
    """What a handshake says. ``peer`` is the address of whoever connected, a proxy's where there is one."""

    target: str  # path and query
    headers: Headers
    peer: str

    @property
    def path(self) -> str:
        """Without the query, and a slash at the end that somebody added to a way in for sound."""
        path = self.target.partition("?")[0]
        return path[:-1] if path in SLASHED else path


class Authenticator:
    """Raises ConfigError where a secret or the token file that the settings name cannot be read."""

    def __init__(self, config: ServeConfig, environ: Mapping[str, str], refusals: RefusalCounter) -> None:
        self._config, self._refusals = config, refusals
        self._named = {host_name(url) for url in (*config.origins, config.twilio.url)} - {None}
        self._proxies = [ipaddress.ip_network(text) for text in config.trusted_proxies]
        self._tokens = (
            None if config.tokens is None else TokenFile(config.tokens, time.monotonic_ns(), _report, _in_thread)
        )
        twilio, hook = config.twilio, config.audiohook
        keys = [None if one is None else one.read(environ) for one in (twilio.auth_token, twilio.shared_key)]
        self._twilio = TwilioKeys(*keys) if any(keys) else None
        self._api_key = None if hook.api_key is None else hook.api_key.read(environ)
        self._hook_secret = None if hook.client_secret is None else _from_base64(hook.client_secret.read(environ))
        self._nonces = UsedNonces()
        self._twilio_host = ""  # where no address is set: that of the first good signature
        if self._twilio is not None and not twilio.url:
            _log.warning(
                "twilio.url is not set: the host of the first connection that Twilio has signed will be the only one; set it"
            )

    def refuse(self, refusal: Refusal) -> Refusal:
        """Count a refusal."""
        self._refusals.count(refusal.reason)
        return refusal

    def host(self, request: Request) -> Refusal | None:
        """Say why a request was not meant for this server, where that serves its own machine alone; None where it was.

        A declared proxy passes on the name that it was asked by. Names of sites in the settings are ours to begin with.
        """
        if self._config.behind_proxy:
            return None
        for named in request.headers.get_all("Host"):
            if is_foreign(named, self._config.host) and host_name(f"//{named}") not in self._named:
                text = f"{named[:200]!r} is not this machine, and this serves it alone; ask for 127.0.0.1 or localhost"
                return self.refuse(Refusal("wrong-host", text))
        return None

    def way(self, request: Request) -> Refusal | None:
        """Say why a request did not come the way that requests must come."""
        repeated = next((name for name in ONCE if len(request.headers.get_all(name)) > 1), None)
        if repeated is not None:
            return self.refuse(Refusal("repeated-header", f"{repeated} came more than once; send it once"))
        if not self._proxies:
            told = next((name for name in FORWARDED if name in request.headers), None)
            if told is not None:
                return self.refuse(
                    Refusal("undeclared-proxy", f"{told} says that a proxy is in front; declare it in trusted_proxies")
                )
            return None
        if not _within(request.peer, self._proxies):
            return self.refuse(Refusal("not-through-proxy", "connect through the proxy in front of this server"))
        if request.headers.get("X-Forwarded-Proto", "").lower() not in ("https", "wss"):
            return self.refuse(Refusal("not-encrypted", "the proxy says that this came unencrypted; use wss://"))
        return None

    def address(self, request: Request) -> str:
        """Where a request comes from: the last address that the proxies in front did not add themselves."""
        told = ",".join(request.headers.get_all("X-Forwarded-For")).split(",") if self._proxies else []
        for address in reversed([one.strip() for one in told if one.strip()]):
            if not _within(address, self._proxies):
                return address[:64]
        return request.peer

    def viewer(self, request: Request) -> Grant | Refusal:
        """Who reads the feed."""
        origin = request.headers.get("Origin")
        known = origin is None or origin in self._config.origins
        if origin is not None and not (known or same_host(origin, request.headers.get("Host", ""), self._config.host)):
            return self.refuse(Refusal("wrong-origin", f"a page of {origin[:200]!r} may not read this feed"))
        return self.token(_secret(request.headers), "viewer")

    def spectrogram(self, grant: Grant) -> Refusal | None:
        """Why a reader may not have spectrograms; None where it may."""
        allowed = self._config.spectrograms
        if allowed == "off":
            why = "this server gives out no spectrograms; ask for why=attention"
            return self.refuse(Refusal("spectrograms-off", why))
        if allowed == "admin" and grant.role != "admin":
            why = f"spectrograms need an admin's token, and this is a {grant.role}'s; ask for why=attention"
            return self.refuse(Refusal("spectrograms-wrong-role", why))
        return None

    def publisher(self, request: Request) -> Grant | Refusal | None:
        """Who brings sound; None where the protocol itself will carry the token."""
        if not self._may_speak(request):
            return self.refuse(Refusal("wrong-origin", NO_PAGES))
        secret = _secret(request.headers)
        if secret is None and self._tokens is not None:
            return None
        return self.token(secret, "publisher")

    def _may_speak(self, request: Request) -> bool:
        """Whether this is no page of a site that nobody named. Some libraries send ``Origin`` by habit, and name the server.

        A site of ``origins`` may, where tokens are asked for: our own page is of one where a proxy is in front. A page cannot
        send ``Authorization: Bearer``, so whoever has a good one there is a program, whatever its ``Origin``.
        """
        origin = request.headers.get("Origin")
        if origin is None or same_origin(origin, request.headers.get("Host", ""), self._config.host):
            return True
        if origin in self._config.origins and self._tokens is not None:
            return True
        shown = bearer(request.headers.get("Authorization"))
        return shown is not None and self._tokens is not None and isinstance(self.whose(shown, "publisher"), Grant)

    def admin(self, request: Request) -> Grant | Refusal:
        """Who deletes. Never a page: what a browser would do in somebody's name stays outside, with or without a token."""
        if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
            return self.refuse(Refusal("wrong-origin", "calls are deleted by programs, not by pages"))
        return self.token(bearer(request.headers.get("Authorization")), "admin")

    def twilio(self, request: Request) -> Grant | Refusal | None:
        """Whose Twilio stream this is; as ``publisher`` where no signature is asked for."""
        if self._twilio is None:
            return self.publisher(request)
        host = request.headers.get("Host", "")
        url = self._config.twilio.url or f"wss://{host}{request.target}"
        why = self._twilio.why_not(url, request.headers.get(SIGNATURE, ""), request.headers.get(SETTINGS, ""))
        if why is None and not self._config.twilio.url:
            why = self._fix_twilio_host(host)
        if why is not None:
            return self.refuse(Refusal("wrong-signature", f"{why}; see [twilio] in the settings"))
        return Grant(self._config.twilio.tenant, "publisher")

    def _fix_twilio_host(self, host: str) -> str | None:
        """Hold every signature to the first one's host: what the account signed for another server is not for this one."""
        named = host.lower().removesuffix(":443")
        if not self._twilio_host:
            self._twilio_host = named
            _log.warning("Twilio's host is fixed until the next start", extra={"host": named})
        same = named == self._twilio_host
        return (
            None if same else f"the first connection that Twilio signed was to {self._twilio_host!r}, and this is not"
        )

    def asterisk(self, request: Request) -> Grant | Refusal:
        """Whose call Asterisk brings: it can send Basic credentials, of which the password is the token."""
        if not self._may_speak(request):
            return self.refuse(Refusal("wrong-origin", NO_PAGES))
        return self.token(_secret(request.headers), "publisher")

    def audiohook(self, request: Request) -> Grant | Refusal:
        """Whose AudioHook session this is."""
        if self._api_key is None:
            return self.refuse(Refusal("not-offered", "AudioHook is off: audiohook.api_key is not set"))
        if not api_key_ok(request.headers.get("X-API-KEY"), self._api_key):
            return self.refuse(Refusal("wrong-api-key", "X-API-KEY is missing or not the one that was agreed"))
        if self._hook_secret is not None:
            try:
                signed = check_signature(request.headers.raw_items(), request.target, self._hook_secret, time.time())
            except RefusedError as error:
                return self.refuse(Refusal(error.code, error.text))
            if not self._nonces.take(signed.nonce, time.monotonic()):
                return self.refuse(Refusal("replayed", "this signature's nonce was used before"))
        organization = request.headers.get("Audiohook-Organization-Id", "")
        if self._config.audiohook.organization not in ("", organization):
            return self.refuse(Refusal("wrong-organization", "this server takes another organisation's sessions"))
        return Grant(self._config.audiohook.tenant, "publisher")

    def may_know(self, request: Request) -> bool:
        """Whether whoever asks may learn where results are kept: an admin, or a program of this machine where all are."""
        if "Origin" in request.headers or "Sec-Fetch-Site" in request.headers:
            return False
        return isinstance(self.whose(bearer(request.headers.get("Authorization")), "admin"), Grant)

    def token(self, secret: str | None, role: Role) -> Grant | Refusal:
        """Whose token this is."""
        found = self.whose(secret, role)
        return self.refuse(found) if isinstance(found, Refusal) else found

    def whose(self, secret: str | None, role: Role) -> Grant | Refusal:
        """Whose token this is; for those who count refusals themselves."""
        if self._tokens is None:
            return Grant(LOCAL, "admin")
        return self._tokens.check(secret, role, datetime.now(UTC), time.monotonic_ns())


def status(refusal: Refusal) -> HTTPStatus:
    """How HTTP says it."""
    return STATUS.get(refusal.reason, HTTPStatus.FORBIDDEN)


def _secret(headers: Headers) -> str | None:
    offered = ",".join(headers.get_all("Sec-WebSocket-Protocol")).split(",")
    named = next((text.strip() for text in offered if text.strip().startswith(BEARER)), None)
    header = headers.get("Authorization")
    return bearer(header) or _password(header) or (None if named is None else named.removeprefix(BEARER))


def _password(header: str | None) -> str | None:
    """The password of Basic credentials (RFC 7617); None where there is none."""
    scheme, _, coded = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(coded.strip(), validate=True).decode().partition(":")[2] or None
    except ValueError:
        return None


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # without the text: it is a secret
        raise ConfigError("audiohook.client_secret is not base64", fix="give it as Genesys shows it") from None


def _within(address: str, networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found.version == network.version and found in network for network in networks)


def _in_thread(work: Callable[[], None]) -> None:
    """Do what takes long beside the event loop, where there is one."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        work()
    else:
        loop.run_in_executor(None, work)


def _report(error: ConfigError | None) -> None:
    if error is None:
        _log.info("the token file can be read again")
    else:
        _log.error("the token file cannot be used, and the tokens read before stay in force: %s", error)
