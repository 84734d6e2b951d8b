"""Credentials for a nats-server, as ``nsc`` makes them: an operator signs for an account, which signs for a user."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import nkeys

ANY = {"subs": -1, "data": -1, "payload": -1}


class Signer:
    """A key, of an operator, an account or a user."""

    def __init__(self, prefix: int) -> None:
        self.seed = bytes(nkeys.encode_seed(os.urandom(32), prefix))
        self._pair = nkeys.from_seed(bytearray(self.seed))
        self.public: str = self._pair.public_key.decode()

    def sign(self, subject: str, what: dict[str, Any]) -> str:
        """A token that says ``what`` of somebody."""
        now = int(time.time())
        said = {"jti": base64.b32encode(os.urandom(20)).decode(), "iat": now, "iss": self.public, "name": "try"}
        parts = [{"typ": "JWT", "alg": "ed25519-nkey"}, {**said, "sub": subject, "nats": {**what, "version": 2}}]
        text = ".".join(_encoded(json.dumps(part).encode()) for part in parts)
        return f"{text}.{_encoded(self._pair.sign(text.encode()))}"


def make(folder: Path) -> tuple[str, Path]:
    """What a server's configuration needs, and the file with the credentials of a user who may enter."""
    operator, user = Signer(nkeys.PREFIX_BYTE_OPERATOR), Signer(nkeys.PREFIX_BYTE_USER)
    account, system = Signer(nkeys.PREFIX_BYTE_ACCOUNT), Signer(nkeys.PREFIX_BYTE_ACCOUNT)
    limits = {**ANY, "imports": -1, "exports": -1, "conn": -1, "leaf": -1, "wildcards": True}
    of_system = operator.sign(system.public, {"type": "account", "limits": limits})
    limits |= {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
    of_account = operator.sign(account.public, {"type": "account", "limits": limits})
    of_user = account.sign(user.public, {"type": "user", **ANY})
    signed = operator.sign(operator.public, {"type": "operator"})
    path = folder / "user.creds"
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    known = f"{{ {account.public}: {of_account}, {system.public}: {of_system} }}"
    told = f"operator: {signed}\nsystem_account: {system.public}\nresolver: MEMORY\nresolver_preload: {known}\n"
    return told, path


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
