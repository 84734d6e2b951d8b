from __future__ import annotations

import pytest

from stream_ser.server.rejection import LOGGED_A_MINUTE, RefusalLog


def test_refusals_are_logged_once_each_and_a_flood_of_one_name_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = [100.0]
    log = RefusalLog(lambda: now[0])
    log.write("twilio", "bad-field")
    log.write("audiosocket", "wrong-peer", "10.0.0.7")
    for _ in range(LOGGED_A_MINUTE + 30):
        log.write("/v1/twilio", "wrong-signature")
    now[0] += 60.0
    log.write("/v1/twilio", "wrong-signature")
    lines = [(r.door, r.reason, getattr(r, "peer", None), getattr(r, "not_logged", None)) for r in caplog.records]  # type: ignore[attr-defined]
    flood = ("/v1/twilio", "wrong-signature", None)
    assert lines == [
        ("twilio", "bad-field", None, None),
        ("audiosocket", "wrong-peer", "10.0.0.7", None),
        *[(*flood, None)] * LOGGED_A_MINUTE,
        (*flood, 30),
    ]
