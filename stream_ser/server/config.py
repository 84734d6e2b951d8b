"""Every setting of ``stream-ser serve``, with what it means, what it may be, and which settings contradict each other.

Pure, but for the existence of files that are named. A config that exists is usable: making one with values that cannot be
raises SettingError. ``stream_ser.server.settings`` reads them from a file, the environment and flags, and shows each
docstring below as the help of its flag.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stream_ser.calls.events import Agents
from stream_ser.calls.protocols.audiosocket import AudioSocketEncoding
from stream_ser.feed.loopback import is_loopback
from stream_ser.server.addresses import is_origin
from stream_ser.server.cluster_settings import ClusterSettings, check_cluster
from stream_ser.server.notice_settings import AboutSettings, CommandSettings, WebhookSettings
from stream_ser.server.secret import Secret
from stream_ser.server.setting_bounds import check_bounds, number
from stream_ser.server.setting_error import SettingError as SettingError
from stream_ser.server.setting_error import show as show
from stream_ser.server.tokens import TENANT_NAMES, is_tenant
from stream_ser.types import Consent, Role
from stream_ser_models.card import DEFAULT

Spectrograms = Literal["off", "admin", "viewer"]

LONGEST_PATH = 200  # characters of one that an error shows, from its end


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the server takes. What exceeds a limit is refused with a name and counted."""

    connections: int = number(600, 1, 100_000)
    """Connections that bring sound, in all."""

    connections_of_tenant: int = number(600, 1, 100_000)
    """Connections that bring sound, of one tenant."""

    unidentified: int = number(60, 1, 100_000)
    """Connections that have not said whose they are, beside those that have: their token comes in their first messages."""

    unidentified_of_address: int = number(30, 1, 100_000)
    """Those of them that come from one address, which may be a provider's or a proxy's."""

    handshakes: int = number(200, 1, 100_000)
    """Connections that have not finished their handshake, of all kinds; beyond it one goes of the address that has most."""

    subscribers: int = number(1000, 1, 100_000)
    """Connections that read the feed, in all."""

    why: int = number(50, 0, 100_000)
    """Those of them that ask what points rest on: each answer takes a millisecond of the thread that serves all."""

    burst_s: float = number(5.0, 0.1, 600.0)
    """Seconds of sound that may come at once, ahead of real time: after a network's hiccup or a reconnection."""

    call_h: float = number(12.0, 0.01, 24.0 * 366)
    """Hours after which a call is closed."""

    message_bytes: int = number(65_536, 1024, 1 << 24)
    """Bytes of one message."""

    open_s: float = number(10.0, 0.1, 600.0)
    """Seconds a connection may take until it has said what it is."""

    idle_s: float = number(120.0, 1.0, 86_400.0)
    """Seconds without a message or a ping, after which a connection that brings sound is closed."""


@dataclass(frozen=True, slots=True)
class TwilioSettings:
    """Twilio Media Streams."""

    auth_token: Secret | None = None
    """The account's auth token, which signs every connection. Without it, and without ``shared_key``, signatures are not
    checked; bearer tokens are."""

    shared_key: Secret | None = None
    """The secret of a shared key, where Twilio signs with one (HMAC-SHA256) and says so in a header of its own."""

    url: str = ""
    """The address that Twilio was given, as wss://calls.example.org/v1/twilio: it is what the signature is over. Empty: what
    the request says, which is right only where no proxy changes it."""

    tenant: str = "local"
    """Whose calls the signed ones are."""


@dataclass(frozen=True, slots=True)
class AudioHookSettings:
    """Genesys AudioHook. Off while there is no API key."""

    api_key: Secret | None = None
    """What Genesys sends as X-API-KEY."""

    client_secret: Secret | None = None
    """What Genesys signs requests with, in base64. Without it signatures are not checked."""

    organization: str = ""
    """The only Genesys organisation that is let in, by its id; any where empty."""

    tenant: str = "local"
    """Whose calls these are."""


@dataclass(frozen=True, slots=True)
class AudioSocketSettings:
    """Asterisk AudioSocket. It is plain TCP: no encryption and no token, so only named peers may connect."""

    listen: str = ""
    """HOST:PORT to listen on; off where empty."""

    peers: tuple[str, ...] = ()
    """Addresses or networks that may connect. Required unless it listens on this machine alone."""

    tenant: str = "local"
    """Whose calls these are."""

    role: Role = "customer"
    """Whose voice it is: customer, agent or unknown."""

    consent: Consent = "unknown"
    """What is known of consent for all of these calls: given, refused or unknown."""

    encoding: AudioSocketEncoding = "auto"
    """What Asterisk sends at 8 kHz: slin, ulaw or alaw; auto finds out by the bytes, which takes some seconds of a voice where
    it is not slin."""


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """All settings of the call server."""

    host: str = "127.0.0.1"
    """Address to listen on. Any but this machine's own needs TLS or declared proxies, and tokens."""

    port: int = number(8765, 0, 65_535)
    """Port to listen on; 0 takes any that is free."""

    tls_cert: Path | None = None
    """Certificate with its chain, PEM. Renewed files are read at the next start."""

    tls_key: Path | None = None
    """The certificate's private key, PEM."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of reverse proxies that end TLS in front of this server; only they are believed when they
    say who connects and by which scheme. Naming any declares the proxy mode."""

    origins: tuple[str, ...] = ()
    """Sites whose pages may read the feed in a browser, as https://host, and bring sound with a publisher's token; the
    server's own host always may."""

    tokens: Path | None = None
    """Token file. Without one every program of this machine may do everything, as the tenant ``local``."""

    store: str = field(default="sqlite:///stream-ser-results.db", repr=False)
    """Database for results: sqlite:///FILE or postgresql://user@host/database; off stores nothing. A relative FILE begins
    at the working folder. A password belongs into PGPASSWORD, ~/.pgpass, or this setting's environment variable."""

    retention_days: float = number(30.0, 0.01, 36_500.0)
    """Days after a call's end at which its results are removed."""

    model: str = DEFAULT
    """Shipped model, or a checkpoint's folder."""

    engine: str = "auto"
    """What runs the model: auto, cuda-graph, cuda, onnx-cuda, onnx or torch."""

    inference_threads: int = number(0, 0, 64)
    """Threads that run the model on the CPU, each for its own share of the streams; 0: as many as there are cores for each of
    ``processes``, 4 at most. A GPU has one."""

    hop: float = number(0.5, 0.02, 60.0)
    """Seconds between two points of a stream."""

    baseline: bool = True
    """Whether a model that can is told how a leg's voice has sounded before, since its call began."""

    rules: Path | None = None
    """Alert rules of your own; the shipped ones hold where it is absent. See docs/alerts.md."""

    consent_required: bool = False
    """Whether a call is refused unless it says that consent was given."""

    agents: Agents = "off"
    """What is heard of agents: off, nothing; turns, when they speak, for talk ratio, overlap and non-talk; emotion, how they
    sound. The law of many places forbids emotion; it needs ``agents_purpose``."""

    agents_purpose: str = ""
    """Why it is heard how agents sound. It is logged and stored with each call."""

    spectrograms: Spectrograms = "off"
    """Who may ask for coarse spectrograms of what is said: off, nobody; admin, those with a token of that role; viewer,
    everybody who may read. Speech could be made from them, so they count as sound, and need ``spectrograms_purpose``."""

    spectrograms_purpose: str = ""
    """Why spectrograms are given out. It is logged whenever somebody gets them."""

    drain_s: float = number(30.0, 0.0, 3600.0)
    """Seconds that open calls get to finish when the server is told to stop."""

    metrics: bool = True
    """Whether /metrics answers. It names no tenant, call or person."""

    limits: Limits = field(default_factory=Limits)
    """The table [limits]."""

    twilio: TwilioSettings = field(default_factory=TwilioSettings)
    """The table [twilio]."""

    audiohook: AudioHookSettings = field(default_factory=AudioHookSettings)
    """The table [audiohook]."""

    audiosocket: AudioSocketSettings = field(default_factory=AudioSocketSettings)
    """The table [audiosocket]."""

    about: AboutSettings = field(default_factory=AboutSettings)
    """The table [about]."""

    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    """The table [webhook]."""

    command: CommandSettings = field(default_factory=CommandSettings)
    """The table [command]."""

    bus: str = ""
    """The bus that several processes share, as nats://HOST:4222, several servers with commas between; where it is empty this
    process serves alone. See docs/cluster.md."""

    processes: int = number(1, 1, 64)
    """How many processes serve on the port; more than one need ``bus``."""

    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    """The table [cluster]."""

    def __post_init__(self) -> None:
        """Raise SettingError for values that cannot be used, alone or together."""
        check_bounds(self)
        for part in ("limits", "twilio", "audiohook", "audiosocket", "webhook", "command", "cluster"):
            check_bounds(getattr(self, part), f"{part}.")
        self._files()
        check_cluster(self.bus, self.cluster, self.processes)
        self._addresses()
        self._auth()
        self.webhook.check()
        if (self.agents == "emotion") != bool(self.agents_purpose.strip()):
            key, wrong = (
                ("agents", "is emotion, and no purpose is stated")
                if self.agents == "emotion"
                else ("agents_purpose", f"is stated, but agents is {self.agents}")
            )
            raise SettingError(key, wrong, fix="set agents to emotion and state agents_purpose, or do neither")
        if (self.spectrograms != "off") != bool(self.spectrograms_purpose.strip()):
            key, wrong = (
                ("spectrograms_purpose", "is stated, but spectrograms is off")
                if self.spectrograms == "off"
                else ("spectrograms", f"is {self.spectrograms}, and no purpose is stated")
            )
            fix = "set spectrograms to admin or viewer and state spectrograms_purpose, or do neither"
            raise SettingError(key, wrong, fix=fix)
        if not self.model or not self.store:
            key = "store" if self.model else "model"
            raise SettingError(key, "is empty", fix="leave it out for the default, or set store to off")

    @property
    def behind_proxy(self) -> bool:
        """Whether a reverse proxy in front of this server is declared."""
        return bool(self.trusted_proxies)

    def _files(self) -> None:
        for key in ("tls_cert", "tls_key", "tokens", "rules"):
            path: Path | None = getattr(self, key)
            try:
                usable = path is None or path.is_file()
            except OSError:  # too long a name, a folder that may not be entered
                usable = False
            if not usable:
                raise SettingError(key, f"= {str(path)[-LONGEST_PATH:]!r} is not a file", fix="check the path")
        if (self.tls_cert is None) != (self.tls_key is None):
            key, other = ("tls_key", "tls_cert") if self.tls_cert is None else ("tls_cert", "tls_key")
            raise SettingError(key, f"is set without {other}", fix="set both, or neither")

    def _addresses(self) -> None:
        if not self.host or any(character.isspace() for character in self.host):
            raise SettingError("host", f"= {show(self.host)} is no address", fix="give one, for example 127.0.0.1")
        for key, values in (("trusted_proxies", self.trusted_proxies), ("audiosocket.peers", self.audiosocket.peers)):
            for value in values:
                try:
                    ipaddress.ip_network(value)
                except ValueError as error:
                    fix = "give addresses or networks, as 10.0.0.7 or 10.0.0.0/24"
                    raise SettingError(key, f"has {show(value)}: {str(error)[:80]}", fix=fix) from error
        for origin in self.origins:
            if not is_origin(origin):
                fix = "give scheme, host and port if any, as https://desk.example.org"
                raise SettingError("origins", f"has {show(origin)}, which is no site", fix=fix)

    def _auth(self) -> None:
        for part in ("twilio", "audiohook", "audiosocket"):
            tenant: str = getattr(self, part).tenant
            if not is_tenant(tenant):
                raise SettingError(f"{part}.tenant", f"= {show(tenant)} is no tenant", fix=f"give {TENANT_NAMES}")
        if not is_loopback(self.host) and self.tls_cert is None and not self.behind_proxy:
            wrong = f"= {show(self.host)} is reached from other machines, and voices would travel unencrypted"
            fix = "set tls_cert and tls_key, or trusted_proxies where a proxy ends TLS, or listen on 127.0.0.1"
            raise SettingError("host", wrong, fix=fix)
        if self.tokens is None and (not is_loopback(self.host) or self.behind_proxy):
            key = "trusted_proxies" if is_loopback(self.host) else "host"
            wrong = "lets other machines in, and there are no tokens to tell who may do what"
            raise SettingError(key, wrong, fix="set tokens to a token file")
        if self.audiohook.api_key is None and (self.audiohook.client_secret or self.audiohook.organization):
            fix = "set audiohook.api_key, which switches AudioHook on"
            raise SettingError("audiohook.api_key", "is not set, while other settings of AudioHook are", fix=fix)
        if self.audiosocket.listen:
            host, _ = host_and_port(self.audiosocket.listen)
            if not is_loopback(host) and not self.audiosocket.peers:
                wrong = f"= {show(self.audiosocket.listen)} is reached from other machines, and asks for no token"
                fix = "set audiosocket.peers to those that may connect, or listen on 127.0.0.1"
                raise SettingError("audiosocket.listen", wrong, fix=fix)


def host_and_port(text: str) -> tuple[str, int]:
    """Split HOST:PORT; an IPv6 address stands in brackets. Raises SettingError."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
        fix = "give HOST:PORT, as 127.0.0.1:9092 or [::1]:9092"
        raise SettingError("audiosocket.listen", f"= {show(text)} is no address", fix=fix)
    return host, int(port)
