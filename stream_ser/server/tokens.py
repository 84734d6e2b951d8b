"""Bearer tokens: whose they are, what they open, and the file that knows them only by their hash.

The file is TOML, one table for each token::

    [[token]]
    tenant = "acme"
    role = "publisher"                # publisher sends sound, viewer reads, admin does both and deletes
    sha256 = "9f86d081…"              # of the token; 64 hexadecimal digits
    expires = 2027-01-01T00:00:00Z    # optional

Why plain SHA-256 and not bcrypt: slow hashes protect passwords, which can be guessed. A token is 32 random bytes, 2²⁵⁶
possibilities, so whoever steals the file can guess at any speed and find none; and a slow hash for each connection would hand
everybody a way to keep the server busy. Tokens are never chosen by people: ``new_token`` makes them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast, get_args

from stream_ser.errors import ConfigError
from stream_ser.server.rejection import Refusal

LOCAL = "local"  # the tenant where there are no tokens
Role = Literal["publisher", "viewer", "admin"]

SECRET_BYTES = 32
PREFIX = "sser_"  # so that scanners for leaked secrets and people see what it is
LONGEST = 512  # characters of a token that are looked at
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
TENANT_NAMES = "1 to 64 letters, digits, dots, - and _, the first a letter or a digit"
_KEYS = ("tenant", "role", "sha256", "expires")


@dataclass(frozen=True, slots=True)
class Grant:
    """Who has come in."""

    tenant: str
    role: Role


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """One token of the file."""

    tenant: str
    role: Role
    sha256: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made. ``secret`` exists here alone: show it once and forget it."""

    secret: str
    toml: str

    def __repr__(self) -> str:
        """Without the secret, which must not reach a log."""
        return f"NewToken({self.toml!r})"


def check(entries: Sequence[TokenEntry], secret: str | None, role: Role, now: datetime) -> Grant | Refusal:
    """Say whose token this is, if it grants ``role`` at wall time ``now``, or why it does not.

    Reasons: ``token-missing``, ``token-unknown``, ``token-expired``, ``token-wrong-role``. Every entry is compared, and each in
    constant time, so the time taken tells nothing.
    """
    if not secret:
        return Refusal("token-missing", "no token was given; send the header Authorization: Bearer TOKEN")
    given = digest(secret[:LONGEST])
    found: TokenEntry | None = None
    for entry in entries:
        if hmac.compare_digest(entry.sha256, given):
            found = entry
    if found is None or len(secret) > LONGEST:
        return Refusal("token-unknown", "this token is not known; ask for a new one")
    if found.expires is not None and now >= found.expires:
        return Refusal("token-expired", f"this token ended at {found.expires.isoformat()}; ask for a new one")
    if found.role not in (role, "admin"):
        return Refusal("token-wrong-role", f"this is a {found.role}'s token, and this needs a {role}'s; use another")
    return Grant(found.tenant, found.role)


def is_tenant(name: str) -> bool:
    """Whether a tenant may have this name: it goes into logs, commands and databases."""
    return _NAME.fullmatch(name) is not None


def bearer(header: str | None) -> str | None:
    """Take the token out of an ``Authorization`` header; None where it holds none."""
    scheme, _, secret = (header or "").strip().partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None


def digest(secret: str) -> str:
    """The hash that the file holds."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_token(tenant: str, role: str, expires: datetime | None = None) -> NewToken:
    """Make a token and the lines for the file. Raises ConfigError for a tenant, role or time that cannot be used."""
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    lines = ["[[token]]", f'tenant = "{tenant}"', f'role = "{role}"', f'sha256 = "{digest(secret)}"']
    if expires is not None:
        if expires.tzinfo is None:
            raise ConfigError(f"{expires} has no time zone", fix="give one, for example 2027-01-01T00:00:00Z")
        lines.append(f"expires = {expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
    _named(tenant, role, "the token")
    return NewToken(secret, "\n".join(lines) + "\n")


def parse(text: str, name: str) -> tuple[TokenEntry, ...]:
    """Read a token file's text; ``name`` is the file's, for errors. Raises ConfigError and says where."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, tables in tables without end
        raise ConfigError(f"{name} is not TOML: {error}", fix="correct it") from error
    tables = data.pop("token", [])
    if data or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{name} has other things than [[token]] tables", fix="keep only those")
    entries = tuple(_entry(table, f"{name} [[token]] {number}") for number, table in enumerate(tables, 1))
    if len({entry.sha256 for entry in entries}) < len(entries):
        raise ConfigError(f"{name} has the same sha256 twice", fix="give each tenant and role a token of its own")
    return entries


def _entry(table: dict[str, Any], where: str) -> TokenEntry:
    unknown = sorted(set(table) - set(_KEYS))
    if unknown:
        raise ConfigError(f"{where} has the key {unknown[0]!r}", fix=f"use {', '.join(_KEYS)}")
    tenant, role = _named(table.get("tenant"), table.get("role"), where)
    hashed, expires = table.get("sha256"), table.get("expires")
    if not isinstance(hashed, str) or _HASH.fullmatch(hashed) is None:  # which may be the token itself: do not show it
        raise ConfigError(f"{where}: sha256 is not 64 hexadecimal digits in lower case", fix="make the token again")
    if expires is not None and (not isinstance(expires, datetime) or expires.tzinfo is None):
        raise ConfigError(f"{where}: expires = {expires}", fix="give date, time and zone, as 2027-01-01T00:00:00Z")
    return TokenEntry(tenant, role, hashed, expires)


def _named(tenant: object, role: object, where: str) -> tuple[str, Role]:
    if not isinstance(tenant, str) or not is_tenant(tenant):
        raise ConfigError(f"{where}: tenant = {tenant!r}", fix=f"give {TENANT_NAMES}")
    if role not in get_args(Role):
        raise ConfigError(f"{where}: role = {role!r}", fix=f"give one of {', '.join(get_args(Role))}")
    return tenant, cast(Role, role)
