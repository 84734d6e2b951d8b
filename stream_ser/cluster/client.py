"""The bus's client, made stricter and more patient than the library's own. In the bus's loop.

- Where TLS is wanted, nothing is said to a server that does not ask for it: the library goes on in the clear then, and sends
  the password so.
- Whatever a server says, the client comes back: the library gives up for good where one says that we may not enter, as while
  its users are changed.
"""

from __future__ import annotations

from nats.aio.client import Client
from nats.errors import Error as NatsError

PERMISSIONS = "permissions violation"  # for one subject: the connection stays
AUTHORIZATION = "authorization violation"


class NoTlsError(NatsError):
    """The server does not ask for TLS, and it is wanted."""

    def __str__(self) -> str:
        return "it does not ask for TLS"


class StrictClient(Client):
    """``connect`` it with ``tls`` to have nothing go in the clear."""

    def _connect_command(self) -> bytes:
        """The first that a server is told, after TLS where the server has asked for it."""
        if "tls" in self.options and not self._server_info.get("tls_required"):
            raise NoTlsError
        return super()._connect_command()

    async def _process_err(self, err_msg: str) -> None:
        """An error that a server tells of."""
        if PERMISSIONS in err_msg.lower():
            await super()._process_err(err_msg)
        else:
            await self._process_op_err(NatsError(f"nats: {err_msg}"))


def advice(error: BaseException | None) -> str:
    """What to do next where a server lets nobody in, by what came last."""
    told = str(error).lower()
    if AUTHORIZATION in told or "authentication" in told:
        return "check cluster.user with cluster.password, cluster.token, or cluster.credentials"
    if isinstance(error, NoTlsError):
        return "have its configuration ask for TLS, or name it as nats:// without cluster.tls_ca and cluster.tls_cert"
    if "certificate verify failed" in told:
        return "check cluster.tls_ca, and that the servers' certificates name the host"
    if "ssl" in told:
        return "check cluster.tls_cert and cluster.tls_key"
    return "see that its nats-servers answer"
