from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import Closed, Leg, Lost, Opened, Paused, RefusedError, Resumed, Sound
from stream_ser.calls.protocols.audiohook import DRAIN, NOBODY, AudioHook
from stream_ser.calls.protocols.fields import LONGEST_JUMP_S
from stream_ser.calls.protocols.g711 import mulaw_decode, mulaw_encode
from tests.calls.fuzz import JSON, Message, mutated, survive
from tests.calls.protocols.genesys import (
    CONVERSATION,
    ORGANIZATION,
    PARTICIPANT,
    SESSION,
    Client,
    offer,
    opened_client,
    parameters,
)
from tests.calls.sound import RATE, conversation, heard, interleaved, pieces

BOTH = Leg("external", "customer"), Leg("internal", "agent")


def test_a_recorded_conversation_arrives_sample_for_sample() -> None:
    customer, agent = conversation()
    client = Client(AudioHook(organization=ORGANIZATION.upper(), session=SESSION))
    config = {"consent": "given", "agent_purpose": "medical", "queue": "north", "limit": 7}
    events = client.open(customConfig=config)
    assert client.read() == [("opened", {"media": [offer()]})]
    for at, piece in enumerate(pieces(interleaved((customer, agent)), 2 * 1600)):
        events += client.hook.receive(mulaw_encode(piece))
        if at % 10 == 0:
            assert client.say("ping", {"rtt": "PT0.032S"}) == []
            assert client.read() == [("pong", {})]
    events += client.say("update", {"language": "es-ES"})
    events += client.say("close", {"reason": "end"})
    assert client.read() == [("updated", {}), ("closed", {})]
    opened = events[0]
    assert isinstance(opened, Opened)
    assert (opened.call, opened.legs, opened.rate, opened.protocol) == (CONVERSATION, BOTH, RATE, "audiohook")
    assert (opened.consent, opened.agent_purpose) == ("given", "medical")
    assert opened.parameters["queue"] == "north"
    assert opened.parameters["participant"] == PARTICIPANT
    assert "555" not in str(opened)
    assert events[-1] == Closed("end")
    assert np.array_equal(heard(events, "external"), mulaw_decode(mulaw_encode(customer)))
    assert np.array_equal(heard(events, "internal"), mulaw_decode(mulaw_encode(agent)))


@pytest.mark.parametrize(
    ("offers", "chosen"),
    [
        ([offer("PCMU", "internal"), offer("PCMU", "external"), offer("L16"), offer()], offer()),
        ([offer("PCMU", "external"), offer("L16")], offer("L16")),
        ([offer("PCMU", "internal"), offer("L16", "external")], offer("L16", "external")),
        ([offer("PCMU", "internal")], offer("PCMU", "internal")),
        (
            [offer("OPUS"), offer(rate=16_000), offer("L16", "internal", "external")],
            offer("L16", "internal", "external"),
        ),
        ([offer("PCMU", "external", "external"), offer("PCMU", "external")], offer("PCMU", "external")),
    ],
)
def test_one_of_the_offers_is_chosen_as_it_was_offered(offers: list[dict[str, Any]], chosen: dict[str, Any]) -> None:
    client = Client()
    (opened,) = client.open(*offers)
    assert client.read() == [("opened", {"media": [chosen]})]
    assert isinstance(opened, Opened)
    assert [leg.name for leg in opened.legs] == chosen["channels"]
    roles = {"external": "customer", "internal": "agent"}
    assert [leg.role for leg in opened.legs] == [roles[channel] for channel in chosen["channels"]]


def test_linear_samples_are_little_endian_and_in_the_order_of_the_channels() -> None:
    client = Client()
    client.open(offer("L16", "internal", "external"))
    first, second = client.hook.receive(np.array([1, 2, 3, 4], dtype="<i2").tobytes())
    assert isinstance(first, Sound)
    assert isinstance(second, Sound)
    assert (first.leg, (first.samples * 32_768).tolist()) == ("internal", [1, 3])
    assert (second.leg, (second.samples * 32_768).tolist()) == ("external", [2, 4])


@pytest.mark.parametrize(
    "says",
    [
        parameters(conversationId=NOBODY),
        parameters(participant={"id": NOBODY, "ani": "", "aniName": "", "dnis": ""}),
        parameters(media=[]),
    ],
)
def test_a_probe_is_answered_and_opens_no_call(says: dict[str, Any]) -> None:
    client = Client()
    assert client.say("open", says) == []
    assert client.read() == [("opened", {"media": []})]
    assert client.say("ping") == client.say("paused") == []
    with pytest.raises(RefusedError):
        client.hook.receive(b"\xff\xff")
    client = Client()
    client.say("open", says)
    client.read()
    assert client.say("close", {"reason": "end"}) == [Closed("probe")]
    assert client.read() == [("closed", {})]


def test_what_is_discarded_is_told_as_lost() -> None:
    client = opened_client()
    events = client.hook.receive(bytes(2 * RATE))
    events += client.say("discarded", {"start": "PT1S", "discarded": "PT0.1234S"})
    events += client.say("discarded", {"start": "PT0.2S", "discarded": "PT0.1S"})  # long past
    events += client.hook.receive(bytes(2 * 800))
    assert events[2:4] == [Lost(leg, 8_000, 8_987, "discarded by the client") for leg in ("external", "internal")]
    assert [event.start for event in events[4:] if isinstance(event, Sound)] == [8_987, 8_987]


def test_answers_name_the_message_that_they_answer() -> None:
    client = opened_client()
    for kind in ("ping", "update", "close"):
        client.say(kind, {"language": "en-US", "reason": "end"})
        (reply,) = client.hook.replies()
        assert json.loads(reply)["clientseq"] == client.sent


def test_who_asks_for_languages_learns_that_none_is_transcribed() -> None:
    client = Client()
    client.open(supportedLanguages=True)
    assert client.read() == [("opened", {"media": [offer()], "supportedLanguages": []})]


def test_what_is_discarded_before_it_was_due_is_as_the_client_says() -> None:
    """As in Genesys' own test suite: the client discards what it has not come to, and goes on."""
    client = opened_client()
    events = client.say("discarded", {"start": "PT6.3S", "discarded": "PT0.3S"})
    events += client.hook.receive(bytes(2 * 800))
    assert events[0] == Lost("external", 0, 52_800, "discarded by the client")
    assert isinstance(events[2], Sound)
    assert events[2].start == 52_800
    assert client.say("close", {"reason": "end"}) == [Closed("end")]


@pytest.mark.parametrize("days", [0, 100])
def test_durations_are_exact(days: int) -> None:
    client = opened_client()
    client.hook._position = start = days * 86_400 * RATE
    for step in range(1, 400):
        says = {"start": f"PT{days * 86_400 + (step - 1) // 100}.{(step - 1) % 100:02}S", "discarded": "PT0.01S"}
        lost, _ = client.say("discarded", says)
        assert lost == Lost("external", start, start + RATE // 100, "discarded by the client")
        start += RATE // 100


def test_paused_is_honoured_at_once_and_resumed_says_where_sound_goes_on() -> None:
    client = opened_client()
    events = client.hook.receive(bytes(2 * RATE))
    events += client.say("paused") + client.say("paused")
    events += client.hook.receive(bytes(2 * 80))  # it was on its way
    events += client.say("resumed", {"start": "PT1S", "discarded": "PT30S"})
    events += client.say("resumed", {"start": "PT31S", "discarded": "PT0S"})
    events += client.hook.receive(bytes(2 * 80))
    assert events[2] == Paused("paused by the client")
    assert events[3] == Lost("external", 8_000, 8_080, "paused")
    assert events[5] == Lost("external", 8_080, 31 * RATE, "paused")
    assert events[7] == Resumed(31 * RATE)
    assert [event.start for event in events[8:] if isinstance(event, Sound)] == [31 * RATE] * 2


def test_a_session_may_begin_paused() -> None:
    client = Client(AudioHook(start_paused=True))
    opened, paused = client.open()
    assert isinstance(opened, Opened)
    assert isinstance(paused, Paused)
    assert client.read() == [("opened", {"media": [offer()], "startPaused": True})]
    assert client.say("paused") == []
    assert client.read(more=client.hook.resume()) == [("resume", {})]
    assert client.say("resumed", {"start": "PT0S", "discarded": "PT0S"}) == [Resumed(0)]


def test_leaving_asks_the_client_to_close_or_to_come_back() -> None:
    client = opened_client()
    assert client.read(more=client.hook.leave(DRAIN))[0][0] == "reconnect"
    (kind, says), *_ = client.read(more=client.hook.leave("the call is too long"))
    assert (kind, says["reason"]) == ("disconnect", "completed")
    (kind, says), *_ = client.read(more=client.hook.leave("unauthorized"))
    assert (kind, says["reason"]) == ("disconnect", "unauthorized")
    assert client.say("close", {"reason": "disconnect"}) == [Closed("disconnect")]
    assert client.read() == [("closed", {})]


def test_an_error_of_the_client_is_read() -> None:
    client = opened_client()
    assert client.say("error", {"code": 409, "message": "no"}) == []
    assert client.read() == []


def test_2_to_the_31_samples_are_just_more() -> None:
    client = opened_client()
    end = 0
    while end * RATE < 2**32:
        client.say("discarded", {"start": f"PT{end}S", "discarded": f"PT{LONGEST_JUMP_S}S"})
        end += LONGEST_JUMP_S
    sound = client.hook.receive(b"\xff\xff")[0]
    assert isinstance(sound, Sound)
    assert sound.start == end * RATE
    assert type(sound.start) is int


def _whole_session() -> list[Message]:
    client = Client()
    client.server_seq = 1
    return [
        client.text("open", parameters(customConfig={"consent": "given", "a": "b"}), serverseq=0),
        mulaw_encode(conversation()[0][:320]),
        client.text("ping"),
        client.text("discarded", {"start": "PT0.02S", "discarded": "PT0.5S"}),
        client.text("paused"),
        bytes(320),
        client.text("resumed", {"start": "PT0.54S", "discarded": "PT3.25S"}),
        bytes(320),
        client.text("update", {"language": "en-US"}),
        client.text("close", {"reason": "end"}),
    ]


@settings(deadline=None, max_examples=150)
@given(mutated(_whole_session()))
def test_a_session_that_is_nearly_right_is_taken_or_refused(messages: list[Message]) -> None:
    survive(AudioHook, messages)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text() | st.binary() | JSON.map(json.dumps), max_size=6))
def test_anything_at_all_is_taken_or_refused(messages: list[Message]) -> None:
    survive(AudioHook, messages)
    survive(lambda: AudioHook(start_paused=True), [_whole_session()[0], *messages])
