from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import Event, Frames, Leg, Lost, Opened, PassedOver, RefusedError, Sound
from stream_ser.calls.protocols.audiohook import DRAIN, STOPPED
from stream_ser.calls.protocols.chan_websocket import FORMATS, LONGEST_SOUND, NOT_SENT, ChanWebSocket
from stream_ser.calls.protocols.g711 import alaw_decode, alaw_encode, mulaw_decode, mulaw_encode
from stream_ser.calls.protocols.tolerance import MOST_IN_A_ROW
from tests.calls.fuzz import JSON, Message, mutated, survive
from tests.calls.sound import FRAME, RATE, conversation, feed, heard, pieces

NAME = "media_connection1"
CHANNEL = "WebSocket/media_connection1/0x7f8a28003a70"
ID = "asterisk-1764460800.17"


def plain(word: str = "MEDIA_START", **changed: str | None) -> str:
    """The text as Asterisk writes it, plain."""
    pairs = {
        "connection_id": NAME,
        "channel": CHANNEL,
        "channel_id": ID,
        "format": "ulaw",
        "optimal_frame_size": "160",
        "ptime": "20",
    } | changed
    return " ".join([word, *(f"{key}:{value}" for key, value in pairs.items() if value is not None)])


def as_json(**changed: object) -> str:
    event = {
        "event": "MEDIA_START",
        "connection_id": NAME,
        "channel": CHANNEL,
        "channel_id": ID,
        "format": "ulaw",
        "optimal_frame_size": 160,
        "ptime": 20,
        "channel_variables": {
            "CALLERID(num)": "+15550100",
            "STREAM_SER_ROLE": "customer",
            "STREAM_SER_CONSENT": "given",
        },
    }
    return json.dumps(event | changed)


class Line:
    """A call, and the clock that it goes by."""

    def __init__(self, query: str = "role=customer&consent=given", opening: str | None = None) -> None:
        self.ns = 5_000_000_000
        self.protocol = ChanWebSocket(query, lambda: self.ns)
        self.events: list[Event] = self.protocol.receive(opening or plain())

    def say(self, samples: Frames, pace: float = 1.0) -> list[Event]:
        """Twenty milliseconds after twenty milliseconds; each message comes when its sound is over."""
        came: list[Event] = []
        for piece in pieces(samples):
            self.rest(pace * len(piece) / RATE)
            came += self.protocol.receive(mulaw_encode(piece))
        self.events += came
        return came

    def rest(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)

    def lost(self) -> list[tuple[int, int]]:
        return [(event.start, event.end) for event in self.events if isinstance(event, Lost)]


@pytest.mark.parametrize("opening", [plain(), as_json()])
def test_a_recorded_voice_arrives_sample_for_sample(opening: str) -> None:
    customer = conversation()[0]
    line = Line(opening=opening)
    line.say(customer)
    opened = line.events[0]
    assert opened == Opened(ID, (Leg("customer", "customer"),), RATE, "chan_websocket", "given")
    assert np.array_equal(heard(line.events, "customer"), mulaw_decode(mulaw_encode(customer)))
    assert line.lost() == []
    assert line.protocol.replies() == []
    assert "555" not in str(opened)


def test_every_format_has_its_bytes_and_its_rate() -> None:
    voice = conversation()[0][: 10 * FRAME]
    linear = np.rint(voice * 32_767).astype("<i2")
    for name, (encoding, rate) in FORMATS.items():
        data = {"mulaw": mulaw_encode(voice), "alaw": alaw_encode(voice), "s16le": linear.tobytes()}[encoding]
        decoded = {
            "mulaw": mulaw_decode(mulaw_encode(voice)),
            "alaw": alaw_decode(alaw_encode(voice)),
            "s16le": linear.astype(np.float32) / 32_768,
        }[encoding]
        opened, sound = feed(ChanWebSocket(now_ns=lambda: 0), [plain(format=name), data])
        assert isinstance(opened, Opened)
        assert opened.rate == rate, name
        assert isinstance(sound, Sound)
        assert np.array_equal(sound.decoded, decoded), name


@pytest.mark.parametrize(
    ("changed", "call"),
    [({}, ID), ({"channel_id": None}, CHANNEL), ({"channel_id": None, "channel": None}, NAME), ({"ptime": None}, ID)],
)
def test_the_call_has_the_best_name_that_a_version_gives(changed: dict[str, str | None], call: str) -> None:
    (opened,) = ChanWebSocket().receive(plain(**changed))
    assert isinstance(opened, Opened)
    assert opened.call == call
    assert (opened.legs, opened.consent) == ((Leg("unknown", "unknown"),), "unknown"), (
        "nobody's consent is taken for granted"
    )


def test_query_and_channel_variables_say_what_is_known() -> None:
    query = "role=agent&consent=given&agent_purpose=medical&call=c-17&queue=north&token=sser_x"
    (opened,) = ChanWebSocket(query).receive(plain())
    assert isinstance(opened, Opened)
    assert (opened.call, opened.legs, opened.agent_purpose) == ("c-17", (Leg("agent", "agent"),), "medical")
    assert (opened.token, opened.parameters) == (None, {"queue": "north"}), "a token in an address is no token"
    (opened,) = ChanWebSocket(query).receive(as_json())
    assert isinstance(opened, Opened)
    assert opened.legs == (Leg("customer", "customer"),), "channel variables are of the call, the query is of the trunk"


def test_silence_that_is_not_sent_is_a_hole_as_long_as_the_clock_says() -> None:
    voice = conversation()[0]
    line = Line()
    line.say(voice[: 2 * RATE])
    line.rest(3.0)
    line.say(voice[2 * RATE : 4 * RATE])
    ((start, end),) = line.lost()
    assert start == 2 * RATE
    assert end - start == pytest.approx(3 * RATE, abs=0.01 * RATE)
    (hole,) = [event for event in line.events if isinstance(event, Lost)]
    assert hole.reason == NOT_SENT
    found = heard(line.events, "customer")
    assert np.array_equal(found[end:], mulaw_decode(mulaw_encode(voice[2 * RATE : 4 * RATE]))), "nothing is left out"


@pytest.mark.parametrize("stall_s", [0.25, 1.0, 4.0])
def test_what_a_network_held_back_is_no_hole(stall_s: float) -> None:
    voice = conversation()[0]
    line = Line()
    line.say(voice[:RATE])
    line.rest(stall_s)
    line.say(voice[RATE : RATE + round(stall_s * RATE)], pace=0.001)
    line.say(voice[RATE + round(stall_s * RATE) :])
    assert line.lost() == []
    assert np.array_equal(heard(line.events, "customer"), mulaw_decode(mulaw_encode(voice)))


def test_short_silences_that_are_not_sent_become_a_hole_together() -> None:
    """Each is no longer than a network may hold back; but what is held back comes, and this never does."""
    voice = np.tile(conversation()[0], 6)[: 60 * RATE]
    line = Line()
    line.say(voice)
    for _ in range(4):
        line.rest(0.25)
        line.say(voice[: 2 * RATE])
    assert sum(end - start for start, end in line.lost()) == pytest.approx(1.0 * RATE, abs=0.3 * RATE)


def test_jitter_and_a_slow_clock_make_no_holes() -> None:
    rng = np.random.default_rng(1)
    line = Line()
    due = line.ns
    sound = mulaw_encode(np.zeros(FRAME, dtype=np.float32))
    for _ in range(50 * 3600):  # an hour at 100 ppm: 0.36 s
        due += 20_002_000
        line.ns = max(line.ns, due + int(rng.exponential(0.01) * 1e9))
        line.events += [event for event in line.protocol.receive(sound) if isinstance(event, Lost)]
    assert line.protocol._position == 50 * 3600 * FRAME
    assert line.lost() == []


def test_a_connection_that_is_gone_gives_what_was_held_back() -> None:
    line = Line()
    line.say(conversation()[0][:RATE])
    line.rest(2.0)
    assert line.say(conversation()[0][RATE : RATE + 2 * FRAME]) == []
    hole, *sound = line.protocol.finish()
    assert isinstance(hole, Lost)
    assert sum(len(one.samples) for one in sound if isinstance(one, Sound)) == 2 * FRAME
    assert line.protocol.finish() == []


@pytest.mark.parametrize(("opening", "hangup"), [(plain(), "HANGUP"), (as_json(), '{"command": "HANGUP"}')])
def test_hanging_up_is_said_in_the_words_that_asterisk_uses(opening: str, hangup: str) -> None:
    protocol = ChanWebSocket()
    protocol.receive(opening)
    assert protocol.leave(DRAIN) == [], "a goodbye would end a call that may finish"
    assert protocol.leave(STOPPED) == [hangup]
    assert protocol.refuse("too-fast", "x") == [hangup]
    with pytest.raises(RefusedError, match="after the call"):
        protocol.receive(b"\xff")


def test_a_message_may_be_as_large_as_asterisk_makes_it_and_no_larger() -> None:
    line = Line()
    line.rest(60.0)
    assert line.protocol.receive(bytes(LONGEST_SOUND)) == [], "it is held back behind the pause"
    assert line.protocol.receive(bytes(LONGEST_SOUND + 1)) == [PassedOver("message-too-large")]


def test_events_that_say_nothing_to_us_are_passed_over() -> None:
    line = Line()
    for word in ("MEDIA_XOFF", "MEDIA_XON", "DTMF_END digit:7 duration_ms:80", "STATUS queue_length:0"):
        assert line.protocol.receive(word) == []
    assert line.protocol.receive(json.dumps({"event": "QUEUE_DRAINED", "channel_id": ID})) == []
    assert line.protocol.receive("ERROR error_text:no such command") == [PassedOver("error-of-asterisk")]
    assert line.protocol.receive("MEDIA_SPARKLE") == [PassedOver("unknown-event")]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([b"\xff"], "sound-before-start"),
        ([plain(format="opus")], "unusable-format"),
        ([plain(format=None)], "missing-field"),
        ([plain(channel_id=None, channel=None, connection_id=None)], "missing-field"),
        (["MEDIA_START"], "missing-field"),
        (["{"], "bad-json"),
        ([as_json(channel_variables={"STREAM_SER_CONSENT": "perhaps"})], "bad-field"),
        ([as_json(channel_variables=[])], "bad-field"),
        ([plain(), plain()], "second-start"),
        ([plain(format="slin"), *[b"\0"] * MOST_IN_A_ROW], "bad-length"),
        ([plain(), *["{"] * MOST_IN_A_ROW], "bad-json"),
        ([plain(), *[bytes(65_537)] * MOST_IN_A_ROW], "message-too-large"),
    ],
)
def test_what_does_not_belong_is_refused_by_name(messages: list[Message], code: str) -> None:
    protocol = ChanWebSocket(now_ns=lambda: 0)
    with pytest.raises(RefusedError) as caught:
        feed(protocol, messages)
    assert caught.value.code == code
    with pytest.raises(RefusedError) as caught:
        protocol.receive(b"\xff")
    assert caught.value.code == "after-close"


@pytest.mark.parametrize("query", ["consent=perhaps", "role=boss", "&".join(f"a{n}=1" for n in range(40)), "role=%00"])
def test_a_query_that_makes_no_sense_is_refused(query: str) -> None:
    with pytest.raises(RefusedError):
        ChanWebSocket(query).receive(plain())


def test_many_channel_variables_of_others_are_no_trouble() -> None:
    others = {f"VARIABLE_{n}": "x" * 2_000 for n in range(25)} | {"STREAM_SER_ROLE": "customer"}
    (opened,) = ChanWebSocket().receive(as_json(channel_variables=others))
    assert isinstance(opened, Opened)
    assert opened.parameters == {}


SOUND = [mulaw_encode(piece) for piece in pieces(conversation()[0][: 6 * FRAME])]
SESSIONS: list[list[Message]] = [[plain(), *SOUND, "DTMF_END digit:1"], [as_json(), *SOUND, "MEDIA_XOFF"]]


def make() -> ChanWebSocket:
    return ChanWebSocket("role=customer", _Stepping())


class _Stepping:
    """A clock that goes on by itself; pickled with the protocol, whose size is looked at."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        self.ns += 20_000_000
        return self.ns


@settings(deadline=None, max_examples=100)
@given(mutated(SESSIONS[0]) | mutated(SESSIONS[1]))
def test_a_session_that_is_nearly_right_is_taken_or_refused(messages: list[Message]) -> None:
    survive(make, [message for message in messages if message != b""])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text() | st.binary(min_size=1) | JSON.map(json.dumps), max_size=6))
def test_anything_at_all_is_taken_or_refused(messages: list[Message]) -> None:
    maker: Callable[[], ChanWebSocket] = make
    survive(maker, messages)
    survive(maker, [plain(), *messages])
