"""Who is waited for, and for how long."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_ser.server.media_server import MediaServer
from stream_ser.server.media_session import MediaSession
from tests.server.serving import answer, dial, eventually, serving
from tests.server.speaking import hello


async def test_who_has_opened_no_call_yet_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    asked = MediaServer.silent_s

    def silent_s(media: MediaServer, session: MediaSession, now_ns: int) -> float:
        looks.append(asked(media, session, now_ns))
        return looks[-1]

    monkeypatch.setattr(MediaServer, "silent_s", silent_s)
    monkeypatch.setattr("stream_ser.server.media_server.SUPERVISE_S", 0.02)
    async with serving(tmp_path) as server, dial(server, "/v1/audio") as connection:
        await eventually(lambda: len(looks) >= 5 or connection.close_code is not None, "nobody looks after it")
        assert connection.close_code is None
        assert max(looks) < 60.0
        await connection.send(hello("c-1", "customer"))
        assert (await answer(connection))["type"] == "accepted"
