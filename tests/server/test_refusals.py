"""What each protocol says to whom it refuses: in its own words, by name, and never after words that it is welcome."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from stream_ser.server.app import CallServer
from stream_ser.server.config import AudioHookSettings, AudioSocketSettings, Limits
from stream_ser.server.limits import SECOND_NS
from stream_ser.server.secret import Secret
from tests.calls.protocols.genesys import offer, parameters
from tests.server.serving import PATIENCE_S, Feed, bearer, dial, eventually, refusals, serving, tokens
from tests.server.speaking import Hook, Plain, Twilio, encode, silence

HANGUP = b"\x00\x00\x00"
CALL = UUID("2b5a3a2c-7d0a-4a0e-9f6e-0123456789ab")
MUCH = silence(30)
PLAIN, TWILIO, HOOK, ASTERISK = "plain", "twilio", "audiohook", "audiosocket"


@dataclass
class Said:
    """What the other side said until it closed; ``code`` is None over TCP."""

    code: int | None
    reason: str
    messages: list[Any] = field(default_factory=list)


async def until_closed(socket: ClientConnection) -> Said:
    messages = []
    with suppress(ConnectionClosed):
        async with asyncio.timeout(PATIENCE_S):
            while True:
                messages.append(json.loads(await socket.recv()))
                if messages[-1]["type"] == "disconnect":  # as Genesys' client does
                    await socket.send(Hook().client.text("close", {"reason": "disconnect"}))
    return Said(socket.close_code, socket.close_reason or "", messages)


@dataclass
class Ward:
    """A server with every way in, and the tokens of a tenant."""

    server: CallServer
    feed: Feed
    publisher: str
    viewer: str

    async def bring(self, protocol: str, messages: list[str | bytes], token: str | None = None) -> Said:
        """Send messages and see what comes until the connection is closed."""
        if protocol == ASTERISK:
            return await self._bring_tcp(messages)
        path = {PLAIN: "/v1/audio", TWILIO: "/v1/twilio", HOOK: "/v1/audiohook"}[protocol]
        headers = {"X-API-KEY": "key"} | ({} if token is None else bearer(token))
        async with dial(self.server, path, additional_headers=headers) as socket:
            with suppress(ConnectionClosed):
                for message in messages:
                    await socket.send(message)
            return await until_closed(socket)

    async def _bring_tcp(self, messages: list[str | bytes]) -> Said:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server._audiosocket.port)
        writer.writelines(message for message in messages if isinstance(message, bytes))
        found = b""
        with suppress(ConnectionError):  # what nobody reads is thrown away with the connection
            async with asyncio.timeout(PATIENCE_S):
                found = await reader.read()
        writer.close()
        found = found.replace(asterisk(160), b"")  # what keeps a call on hold alive
        return Said(None, "", [found] if found else [])

    async def refused(
        self, expected: str, protocol: str, messages: list[str | bytes], token: str | None = None
    ) -> Said:
        """Be refused by name, counted once, and leave nothing behind."""
        before, calls = (await refusals(self.server)).get(expected, 0), self.server.services.tenants.calls
        said = await self.bring(protocol, messages, token)
        told = (
            self.server.services.refusals.by_reason
        )  # what a library refuses is counted once its connection is closed
        await eventually(lambda: told().get(expected, 0) > before, f"{expected} is not counted: {said}")
        await eventually(lambda: self.server.services.tenants.calls == calls, "a call stays open")
        assert (await refusals(self.server)).get(expected, 0) == before + 1, said
        return said


@asynccontextmanager
async def ward(folder: Path, **given: Any) -> AsyncIterator[Ward]:
    path, (publisher, viewer) = tokens(folder, ("acme", "publisher"), ("acme", "viewer"))
    options: dict[str, Any] = {
        "tokens": path,
        "limits": Limits(burst_s=2.0, message_bytes=32_768),
        "audiohook": AudioHookSettings(Secret("env", "KEY"), tenant="acme"),
        "audiosocket": AudioSocketSettings(listen="127.0.0.1:0", tenant="acme", consent="given"),
    }
    async with (
        serving(folder, {"KEY": "key"}, **(options | given)) as server,
        Feed(server.url, token=viewer) as feed,
    ):
        yield Ward(server, feed, publisher, viewer)


def opening(protocol: str, consent: str = "given", token: str | None = None) -> list[str | bytes]:
    """How a call opens; AudioSocket's with its first sound."""
    match protocol:
        case "plain":
            return Plain("c-1", consent=consent, **({} if token is None else {"token": token})).opening()
        case "twilio":
            said = Twilio("CA1", token=token).opening()
            return [str(message).replace('"consent":"given"', f'"consent":"{consent}"') for message in said]
        case "audiohook":
            return Hook(consent=consent).opening()
        case _:
            return [b"\x01\x00\x10" + CALL.bytes + asterisk(160)]


def asterisk(samples: int) -> bytes:
    return b"\x10" + (2 * samples).to_bytes(2, "big") + bytes(2 * samples)


def sound(protocol: str) -> list[str | bytes]:
    """Thirty seconds at once."""
    match protocol:
        case "plain":
            return [encode(MUCH[at : at + 8_000], "s16le") for at in range(0, len(MUCH), 8_000)]
        case "twilio":
            return list(Twilio("CA1").sound(MUCH))
        case "audiohook":
            return list(Hook().sound(MUCH, MUCH))
        case _:
            return [asterisk(8_000) for _ in range(30)]


def check_words(protocol: str, said: Said, name: str, *, accepted: bool, answered: bool = True) -> None:
    """The refusal is said as the protocol can say it, and ``accepted`` or ``opened`` comes only where it was so.

    ``answered``: whether somebody is there who hears an AudioHook client's last word.
    """
    kinds = [message["type"] for message in said.messages if isinstance(message, dict)]
    if protocol == ASTERISK:
        assert said.messages == [HANGUP]
        return
    elsewhere = name in ("too-many-connections", "no-room", "store-unavailable")
    assert (said.code, said.reason.partition(":")[0]) == (1013 if elsewhere else 1008, name)
    if protocol == PLAIN:
        assert kinds == (["accepted"] if accepted else []) + ["refused"]
        assert said.messages[-1]["code"] == name
    elif protocol == HOOK:
        assert kinds[: 1 + accepted] == (["opened"] if accepted else []) + ["disconnect"]
        assert kinds[1 + accepted :] == (["closed"] if answered else [])
        assert [message["seq"] for message in said.messages] == list(range(1, len(kinds) + 1))
        told = said.messages[accepted]["parameters"]
        assert told["reason"] == "error"
        assert told["info"].startswith(f"{name}: ")
    else:
        assert said.messages == []


@pytest.mark.parametrize("protocol", [PLAIN, TWILIO, HOOK])
async def test_a_call_without_consent_is_refused_before_anything_is_accepted(tmp_path: Path, protocol: str) -> None:
    async with ward(tmp_path, consent_required=True) as w:
        for consent, name in (("refused", "consent-refused"), ("unknown", "consent-missing")):
            check_words(
                protocol, await w.refused(name, protocol, opening(protocol, consent), w.publisher), name, accepted=False
            )
        assert w.feed.of("call") == []


@pytest.mark.parametrize("protocol", [PLAIN, TWILIO, HOOK, ASTERISK])
async def test_an_agents_voice_alone_is_refused_before_anything_is_accepted(tmp_path: Path, protocol: str) -> None:
    given = AudioSocketSettings(listen="127.0.0.1:0", tenant="acme", role="agent")
    alone: list[str | bytes] = {
        PLAIN: lambda: Plain("c-1", "agent").opening(),
        TWILIO: lambda: Twilio("CA1", "outbound").opening(),
        HOOK: lambda: [Hook().client.text("open", parameters(offer("PCMU", "internal")))],
        ASTERISK: lambda: opening(ASTERISK),
    }[protocol]()
    async with ward(tmp_path, audiosocket=given) as w:
        said = await w.refused("agent-not-heard", protocol, alone, w.publisher)
        check_words(protocol, said, "agent-not-heard", accepted=False)
        assert w.feed.of("call") == []


async def test_asterisk_is_hung_up_on_where_nobody_promised_consent(tmp_path: Path) -> None:
    given = AudioSocketSettings(listen="127.0.0.1:0", tenant="acme")
    async with ward(tmp_path, consent_required=True, audiosocket=given) as w:
        said = await w.refused("consent-missing", ASTERISK, opening(ASTERISK))
        check_words(ASTERISK, said, "consent-missing", accepted=False)
        assert w.feed.of("call") == []


@pytest.mark.parametrize("protocol", [PLAIN, TWILIO])
async def test_a_token_inside_the_protocol_that_will_not_do_is_refused_before_anything_is_accepted(
    tmp_path: Path, protocol: str
) -> None:
    async with ward(tmp_path) as w:
        for token, name in ((None, "token-missing"), ("sser_guessed", "token-unknown"), (w.viewer, "token-wrong-role")):
            check_words(protocol, await w.refused(name, protocol, opening(protocol, token=token)), name, accepted=False)


@pytest.mark.parametrize("protocol", [PLAIN, TWILIO, HOOK, ASTERISK])
async def test_a_second_connection_of_a_call_is_refused_and_the_first_goes_on(
    tmp_path: Path, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_ser.server.media_server.DEAD_S", PATIENCE_S)  # on a loaded machine as well
    async with ward(tmp_path) as w:
        holder = await hold(w, protocol)
        await w.feed.wait("call", kind="opened")
        said = await w.refused("call-already-open", protocol, opening(protocol), w.publisher)
        check_words(protocol, said, "call-already-open", accepted=False)
        assert w.server.services.tenants.calls == 1
        await holder()
        await w.feed.wait("call", kind="ended")


async def hold(w: Ward, protocol: str) -> Callable[[], Any]:
    """Open a call; gives what hangs up."""
    if protocol == ASTERISK:
        _, writer = await asyncio.open_connection("127.0.0.1", w.server._audiosocket.port)
        writer.writelines(message for message in opening(protocol) if isinstance(message, bytes))

        async def hang_up() -> None:
            writer.close()

        return hang_up
    path = {PLAIN: "/v1/audio", TWILIO: "/v1/twilio", HOOK: "/v1/audiohook"}[protocol]
    socket = await dial(w.server, path, additional_headers={"X-API-KEY": "key"} | bearer(w.publisher))
    for message in opening(protocol):
        await socket.send(message)
    return socket.close  # type: ignore[no-any-return]


@pytest.mark.parametrize("protocol", [PLAIN, TWILIO, HOOK, ASTERISK])
async def test_sound_that_comes_too_fast_is_refused_by_name(tmp_path: Path, protocol: str) -> None:
    async with ward(tmp_path) as w:
        said = await w.refused("too-fast", protocol, [*opening(protocol), *sound(protocol)], w.publisher)
        check_words(protocol, said, "too-fast", accepted=True)
        assert (await w.feed.wait("call", kind="ended"))[0]["reason"] == "refused: too-fast"


@pytest.mark.parametrize("protocol", [PLAIN, TWILIO, HOOK])
async def test_a_message_that_is_too_large_is_refused_by_name(tmp_path: Path, protocol: str) -> None:
    large: str | bytes = "x" * 40_000 if protocol == TWILIO else bytes(40_000)
    async with ward(tmp_path) as w:
        said = await w.refused("message-too-large", protocol, [*opening(protocol), large], w.publisher)
        assert said.code == 1009
        assert (await w.feed.wait("call", kind="ended"))[0]["reason"] == "refused: message-too-large"


@pytest.mark.parametrize("protocol", [PLAIN, TWILIO, HOOK, ASTERISK])
async def test_who_falls_silent_is_told_and_counted(tmp_path: Path, protocol: str) -> None:
    async with ward(tmp_path, limits=Limits(idle_s=1.0, open_s=1.0)) as w:
        said = await w.refused("silent", protocol, opening(protocol), w.publisher)
        check_words(protocol, said, "silent", accepted=True, answered=False)


@pytest.mark.parametrize("protocol", [PLAIN, TWILIO, HOOK])
async def test_a_call_that_goes_on_for_too_long_is_ended_by_name(tmp_path: Path, protocol: str) -> None:
    async with ward(tmp_path, limits=Limits(call_h=1.0)) as w:
        path = {PLAIN: "/v1/audio", TWILIO: "/v1/twilio", HOOK: "/v1/audiohook"}[protocol]
        async with dial(w.server, path, additional_headers={"X-API-KEY": "key"} | bearer(w.publisher)) as socket:
            for message in opening(protocol):
                await socket.send(message)
            await w.feed.wait("call", kind="opened")
            for session in w.server.media.sessions:
                session.opened_ns -= 3601 * SECOND_NS
            await socket.send(sound(protocol)[0])
            said = await until_closed(socket)
        check_words(protocol, said, "call-too-long", accepted=True)
        assert (await refusals(w.server)) == {"call-too-long": 1}
        await w.feed.wait("call", kind="ended", reason="refused: call-too-long")


@pytest.mark.parametrize(
    ("sent", "code", "name"),
    [("hello", 1008, "read-only"), ("x" * 70_000, 1009, "message-too-large"), (b"\0", 1008, "read-only")],
)
async def test_who_sends_something_to_the_feed_is_refused_and_counted(
    tmp_path: Path, sent: str | bytes, code: int, name: str
) -> None:
    async with serving(tmp_path) as server, dial(server, "/v1/feed") as socket:
        await socket.send(sent)
        assert (await until_closed(socket)).code == code
        await eventually(lambda: not server.services.subscribers.members, "a subscriber stays")
        await eventually(lambda: bool(server.services.refusals.by_reason()), "it is not counted")
        assert await refusals(server) == {name: 1}
        async with dial(server, "/v1/feed") as polite:
            await polite.recv()
        assert await refusals(server) == {name: 1}


@pytest.mark.parametrize(
    ("sent", "reason", "answer"),
    [
        (b"", "no-handshake", b""),
        (b"GET /v1/audio HTTP/1.1\r\nHost: localhost\r\n", "no-handshake", b""),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", "bad-handshake", b""),
        (b"GET /" + b"a" * 20_000, "bad-handshake", b"414"),
        (b"GET /v1/audio HTTP/1.1\r\nHost: localhost\r\n\r\n", "bad-handshake", b"426"),
        (b"POST /v1/audio HTTP/1.1\r\nHost: localhost\r\n\r\n", "bad-handshake", b"405"),
        (b"GET /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n", "not-offered", b"404"),
    ],
)
async def test_a_handshake_that_comes_to_nothing_is_counted(
    tmp_path: Path, sent: bytes, reason: str, answer: bytes
) -> None:
    async with serving(tmp_path, limits=Limits(open_s=0.2)) as server:
        for leaves in (False, True):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(sent)
            if leaves and reason == "no-handshake":  # of its own will, and at once
                writer.write_eof()
            with suppress(ConnectionError):
                async with asyncio.timeout(PATIENCE_S):
                    assert answer in await reader.read()
            writer.close()
        await eventually(lambda: not server._connections, "a connection stays")
        assert await refusals(server) == {reason: 1 if reason == "no-handshake" else 2}


async def test_asterisk_is_let_in_from_named_peers_only(tmp_path: Path) -> None:
    given = AudioSocketSettings(listen="127.0.0.1:0", tenant="acme", peers=("10.0.0.0/8",))
    async with ward(tmp_path, audiosocket=given) as w:
        said = await w.refused("wrong-peer", ASTERISK, opening(ASTERISK))
        assert said.messages == [], "a stranger learns nothing"


@pytest.mark.parametrize("protocol", [PLAIN, TWILIO, HOOK, ASTERISK])
async def test_where_there_is_no_place_is_said_before_anything_else(tmp_path: Path, protocol: str) -> None:
    async with ward(tmp_path, limits=Limits(connections=1)) as w:
        holder = await hold(w, PLAIN)
        await w.feed.wait("call", kind="opened")
        said = await w.refused("too-many-connections", protocol, [], w.publisher)
        check_words(protocol, said, "too-many-connections", accepted=False, answered=False)
        await holder()
