"""A call's own messages on the connection that brings its sound, where its hello asks for them. In the server's event loop."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from websockets.asyncio.server import ServerConnection

from stream_ser.calls.call import Call
from stream_ser.feed.filters import SubscriptionFilter
from stream_ser.feed.hub import Hub
from stream_ser.feed.subscriber import Subscriber, Subscribers
from stream_ser.server.media_session import MediaSession

LAST_S = 5.0  # how long what was not yet said of a call that is over may take
LOOK_S = 0.02


class CallFollower:
    """Follows at most one call. Used as a context, whose end ends it."""

    def __init__(self, subscribers: Subscribers, connection: ServerConnection) -> None:
        self._subscribers, self._connection = subscribers, connection
        self._stack = contextlib.ExitStack()
        self._followed: tuple[Subscriber, Hub, Call] | None = None

    def begin(self, session: MediaSession) -> None:
        """Follow the session's call from now on, if it is open and asked for it, and is not followed yet."""
        hub = session.follows
        if self._followed is not None or hub is None or session.call is None:
            return
        filters = SubscriptionFilter(call=session.call.name, snapshot=True)  # the call was opened before
        member = self._stack.enter_context(self._subscribers.accompany(self._connection, hub, filters))
        self._followed = member, hub, session.call

    async def finish(self) -> None:
        """Wait until the last of the call is sent, unless it takes too long."""
        if self._followed is None:
            return
        member, hub, call = self._followed
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                while not call.finished or hub.has_call(call.name):  # noqa: ASYNC110 - it ends on other threads
                    await asyncio.sleep(LOOK_S)
                last = hub.seq
                while not member.gone and (member.subscription.idle_at() or 0) < last:  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
