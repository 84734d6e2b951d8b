"""What a page is told when it asks, before its websocket: as a browser would not tell it why that was refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from stream_ser.server.tokens import Role
from stream_ser.web.assets import ADMISSION, SOUND_ADMISSION
from tests.server.serving import bearer, page, serving, tokens


@pytest.mark.parametrize(
    ("path", "role", "expected"),
    [
        (ADMISSION, None, (401, "token-missing", None)),
        (ADMISSION, "publisher", (403, "token-wrong-role", None)),
        (ADMISSION, "viewer", (200, "", "acme")),
        (SOUND_ADMISSION, None, (401, "token-missing", None)),
        (SOUND_ADMISSION, "viewer", (403, "token-wrong-role", None)),
        (SOUND_ADMISSION, "publisher", (200, "", None)),
    ],
)
async def test_a_page_that_asks_is_told_how_its_websocket_would_be_answered(
    tmp_path: Path, path: str, role: Role | None, expected: tuple[int, str, str | None]
) -> None:
    file, (secret,) = tokens(tmp_path, ("acme", role or "viewer"))
    async with serving(tmp_path, tokens=file) as server:
        headers = {} if role is None else bearer(secret)
        status, text = await asyncio.to_thread(page, server, path, headers=headers)
    told = json.loads(text)
    assert status == 200, "to ask is allowed"
    assert (told["status"], told["text"].partition(":")[0], told.get("tenant")) == expected
