from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, Close, Frame

from stream_ser.server.batched_websocket import (
    LONGEST_REST_S,
    PIECE,
    READ,
    READS_A_SECOND,
    SHORTEST_REST_S,
    Message,
    Pace,
    SoundConnection,
)
from tests.server.raw_frames import LONGEST, Drowsy, Heard, Hurried, exchange, frame, library, listener, open_server

TEXTS = st.text(max_size=300).map(lambda text: frame(TEXT, text.encode()[: LONGEST - 1] if text.isascii() else b"x"))
FRAMES = st.one_of(
    TEXTS,
    TEXTS,
    st.sampled_from([125, 126, 127, LONGEST]).map(lambda n: frame(TEXT, b"a" * n)),
    st.binary(max_size=200).map(lambda data: frame(BINARY, data)),
    st.binary(max_size=20).map(lambda data: frame(PING, data)),
    st.binary(max_size=20).map(lambda data: frame(PONG, data)),
    st.just(frame(TEXT, "hä".encode(), fin=False) + frame(PING, b"!") + frame(CONT, b"llo")),
    st.just(frame(TEXT, "ä".encode()[:1], fin=False) + frame(CONT, b"", fin=False) + frame(CONT, "ä".encode()[1:])),
    st.just(frame(BINARY, b"1", fin=False) + frame(CONT, b"2")),
)
WRONG = st.sampled_from(
    [
        frame(TEXT, b"\xff"),
        frame(TEXT, b"\xc3", fin=False) + frame(CONT, b"\xff"),
        frame(TEXT, b"a" * (LONGEST + 1)),
        frame(TEXT, b"a" * LONGEST, fin=False) + frame(CONT, b"a"),
        frame(TEXT, b"unmasked", mask=False),
        frame(CONT, b"of nothing"),
        frame(TEXT, b"half", fin=False) + frame(TEXT, b"another"),
        b"\xc1\x82abcdef",  # a reserved bit
        b"\x83\x82abcdef",  # no such opcode
        b"\x81\xff" + (2**40).to_bytes(8, "big") + b"abcd",
        b"\x81\xfe\x00",
        frame(CLOSE, Close(1000, "bye").serialize()),
        frame(CLOSE, b""),
        frame(CLOSE, b"\0"),
    ]
)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(FRAMES, max_size=8),
    WRONG | st.just(b""),
    st.lists(TEXTS, max_size=2),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_whatever_comes_in_whatever_pieces_is_heard_and_answered_as_by_the_library(
    frames: list[bytes], wrong: bytes, more: list[bytes], hurried: bool, drowsy: bool, data: st.DataObject
) -> None:
    sent = b"".join([*frames, wrong, *more])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    ours, theirs = Heard(), Heard()
    pace = Drowsy() if drowsy else None
    answer = asyncio.run(exchange(listener(ours, pace), pieces, 0.001 if drowsy else 0.0, hurried=hurried))
    expected = asyncio.run(exchange(library(theirs), pieces))
    assert ours.messages == theirs.messages
    assert ours.closed == theirs.closed
    assert answer == expected


INNER = frame(TEXT, b"inner")
CLEAR = b"\x82" + bytes([0x80 + len(INNER)]) + bytes(4)  # the head of a frame whose mask leaves its data as they are


@pytest.mark.parametrize(
    "pieces",
    [
        [b"", CLEAR, INNER],  # what looks like a frame is the inside of one
        [frame(TEXT, b"ha", fin=False), INNER],
        [frame(TEXT, b"ha", fin=False), frame(CONT, b"lf") + INNER],
        [frame(CLOSE, b"\x03\xe8"), INNER],
        [frame(TEXT, b"\xff"), INNER],
        [b"\x81", b"\x85", bytes(4), b"he", b"llo" + INNER],
        [frame(PING, b"?") + INNER, INNER + frame(PING, b"!")],
    ],
)
def test_where_a_read_ends_makes_no_difference(pieces: list[bytes]) -> None:
    pieces = [frame(TEXT, b"first"), *pieces]
    ours, theirs = Heard(), Heard()
    answer = asyncio.run(exchange(listener(ours), pieces, 0.01))
    expected = asyncio.run(exchange(library(theirs), pieces, 0.01))
    assert ours.messages == theirs.messages
    assert ours.closed == theirs.closed
    assert answer == expected


@pytest.mark.parametrize("every", [27, 9, 10, 14, 1_000])
def test_plain_frames_are_opened_without_the_library_wherever_a_read_ends(every: int) -> None:
    heard = Heard()
    seen: list[Frame] = []
    listen = listener(heard)

    async def handle(connection: ServerConnection) -> None:
        read = connection.protocol.recv_frame

        def watch(one: Frame) -> None:
            seen.append(one)
            read(one)

        connection.protocol.recv_frame = watch  # type: ignore[method-assign, assignment]
        await listen(connection)

    ping = frame(PING, b"?")
    sound = b"".join(frame(TEXT, b"%d" % n * 3) * 3 for n in range(9))
    cut = [sound[at : at + every] for at in range(0, len(sound), every)]
    pieces = [frame(TEXT, b"first"), ping, *cut, ping, frame(TEXT, b"last")]
    asyncio.run(exchange(handle, pieces, 0.003))
    assert len(heard.messages) == 29
    assert len(seen) <= 3  # the first may have come before anybody listened
    assert [one.opcode for one in seen][-2:] == [PING, PING]


def test_messages_of_one_read_are_handed_on_together() -> None:
    heard = Heard()
    texts = [frame(TEXT, b"%d" % n) for n in range(50)]
    asyncio.run(exchange(listener(heard), [texts[0], b"", b"", b"", b"", b"".join(texts[1:])]))
    assert heard.messages == [str(n) for n in range(50)]
    assert 49 in heard.reads


def test_one_turn_works_through_one_piece_where_it_is_spent_and_nothing_is_read_meanwhile() -> None:
    heard, connections = Heard(), []
    listen = listener(heard)

    async def handle(connection: ServerConnection) -> None:
        connections.append(connection)
        await listen(connection)

    texts = [frame(TEXT, b"%06d" % n) for n in range(6_000)]  # 70 kB, of which one read has 8 kB at most
    asyncio.run(exchange(handle, [b"".join(texts)], hurried=True))
    assert heard.messages == [f"{n:06}" for n in range(6_000)]
    assert max(heard.reads) <= PIECE // len(texts[0]) + 1
    assert isinstance(connections[0], Hurried)
    assert connections[0].most_late <= 2 * READ


class Resting:
    """What a pace needs of a connection."""

    def __init__(self) -> None:
        self.loop, self.transport = asyncio.get_running_loop(), self
        self.paused, self.woken = 0, asyncio.Event()

    def pause_reading(self) -> None:
        self.paused += 1

    def wake(self) -> None:
        self.woken.set()


async def test_few_connections_never_rest_and_many_do() -> None:
    pace, connection = Pace(), Resting()
    pace.members = round(READS_A_SECOND * SHORTEST_REST_S) - 1
    assert not pace.rest(connection)  # type: ignore[arg-type]
    assert connection.paused == 0, "its next read comes when there is something"
    pace.members += 1
    assert pace.rest(connection)  # type: ignore[arg-type]
    assert connection.paused == 1
    async with asyncio.timeout(60):
        await connection.woken.wait()
    pace.members = 10**6
    assert pace.rest_s == LONGEST_REST_S


def test_the_end_of_a_connection_comes_after_what_waits_for_its_turn() -> None:
    heard = Heard()
    listen = listener(heard)

    async def handle(connection: ServerConnection) -> None:
        listening = asyncio.create_task(listen(connection))
        await asyncio.sleep(0)
        connection.data_received(frame(TEXT, b"last"))
        assert heard.messages == [], "it had to wait"
        if not connection.eof_received():
            connection.transport.close()  # as asyncio does then; otherwise the server waits for it until a ping is due
        await listening

    asyncio.run(exchange(handle, [], hurried=True))
    assert heard.messages == ["last"]


def test_nothing_is_handed_on_after_enough_and_the_goodbye_is_proper() -> None:
    heard = Heard()

    async def talk() -> int:
        server, port = await open_server(listener(heard, most=3))
        async with connect(f"ws://127.0.0.1:{port}", compression=None) as client:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await client.send("more")
                    await asyncio.sleep(0)
            code = client.close_code
        server.close()
        await server.wait_closed()
        assert code is not None
        return code

    assert asyncio.run(talk()) == 1000
    assert sum(heard.reads[:-1]) < 3 <= sum(heard.reads)


def test_what_breaks_a_handler_is_raised_there_and_closes_with_1011() -> None:
    def take(messages: Sequence[Message], came_ns: int) -> bool:
        raise RuntimeError(messages[0])

    raised: list[str] = []

    async def handle(connection: ServerConnection) -> None:
        assert isinstance(connection, SoundConnection)
        try:
            await connection.deliver(take, Pace())
        except RuntimeError as error:
            raised.append(str(error))
            raise

    async def talk() -> int | None:
        server, port = await open_server(handle)
        async with connect(f"ws://127.0.0.1:{port}", compression=None) as client:
            await client.send("oops")
            await client.wait_closed()
        server.close()
        await server.wait_closed()
        return client.close_code

    assert asyncio.run(talk()) == 1011
    assert raised == ["oops"]


@pytest.mark.parametrize("length", [0, 5, 125, 126, 300, LONGEST])
def test_the_beginning_of_a_plain_frame_is_known_by_its_head(length: int) -> None:
    connection = object.__new__(SoundConnection)
    whole = frame(TEXT, b"a" * length)
    found: list[bool] = []

    class Plain:
        max_message_size = LONGEST

    connection.protocol = Plain()  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SoundConnection, "_may_open", True)
        found = [connection._is_half(b"before" + whole[:size], 6) for size in range(1, len(whole) + 1)]
        others = (
            frame(BINARY, b"a" * length),
            frame(TEXT, b"a" * length, mask=False),
            frame(TEXT, b"a" * (LONGEST + 1)),
        )
        assert not any(connection._is_half(other[:4], 0) for other in others)
    assert found == [True] * (len(whole) - 1) + [False]
