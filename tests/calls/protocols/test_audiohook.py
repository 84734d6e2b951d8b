from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_ser.calls.events import Closed, Leg, Lost, Opened, PassedOver, Paused, RefusedError, Resumed, Sound
from stream_ser.calls.protocols.audiohook import DRAIN, LARGEST_SOUND, NOBODY, AudioHook
from stream_ser.calls.protocols.fields import LONGEST_JUMP_S
from stream_ser.calls.protocols.g711 import mulaw_decode, mulaw_encode
from stream_ser.calls.protocols.tolerance import MOST_IN_A_ROW
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
from tests.calls.sound import RATE, conversation, feed, heard, interleaved, pieces

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


def refusal(client: Client, *messages: Message) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        feed(client.hook, messages)
    client.read()
    ((kind, says),) = client.read(more=client.hook.refuse(caught.value.code, caught.value.text))
    assert kind == "disconnect"
    assert says["info"].startswith(caught.value.code)
    assert says["reason"] == ("unauthorized" if caught.value.code == "other-organization" else "error")
    return caught.value


def test_who_is_refused_for_other_reasons_is_not_told_that_the_session_is_open() -> None:
    client = Client()
    assert isinstance(client.open()[0], Opened)
    ((kind, says),) = client.read(more=client.hook.refuse("consent-missing", "say it"))  # numbered as the first
    assert (kind, says) == ("disconnect", {"reason": "error", "info": "consent-missing: say it"})
    with pytest.raises(RefusedError, match="after the session"):
        client.say("ping")
    for nothing in (b"\0\0", "no JSON", "{}", client.text("ping"), client.text("close", seq=None)):
        assert client.hook.part(nothing) == []
    closing = client.text("close", {"reason": "disconnect"})
    assert client.read(more=client.hook.part(closing)) == [("closed", {})]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"version": "1"}, "bad-field"),
        ({"version": 2}, "bad-field"),
        ({"type": 7}, "bad-field"),
        ({"seq": 1}, "bad-sequence"),
        ({"seq": 3}, "bad-sequence"),
        ({"seq": 2.0}, "bad-field"),
        ({"seq": True}, "bad-field"),
        ({"seq": -1}, "bad-field"),
        ({"seq": 2**80}, "bad-field"),
        ({"seq": None}, "missing-field"),
        ({"serverseq": 2}, "bad-sequence"),
        ({"serverseq": "1"}, "bad-field"),
        ({"position": "PT-1S"}, "bad-field"),
        ({"position": "12"}, "bad-field"),
        ({"position": "PT" + "9" * 60 + "S"}, "bad-field"),
        ({"position": "PT٣S"}, "bad-field"),
        ({"position": None}, "missing-field"),
        ({"id": "e160e428-53e2-487c-977d-96989bf5c99e"}, "other-session"),
        ({"id": "x"}, "bad-field"),
        ({"parameters": []}, "bad-field"),
    ],
)
def test_a_message_that_breaks_the_rules_is_refused_by_name(changed: dict[str, object], code: str) -> None:
    client = opened_client()
    assert refusal(client, client.text("ping", **changed)).code == code


@pytest.mark.parametrize(
    ("says", "code"),
    [
        (parameters(organizationId=NOBODY), "other-organization"),
        (parameters(organizationId="x"), "bad-field"),
        (parameters(conversationId=None), "missing-field"),
        (parameters(participant={}), "missing-field"),
        (parameters(media={}), "bad-field"),
        (parameters(media=[offer()] * 33), "bad-field"),
        (parameters(media=[1]), "bad-field"),
        (parameters(offer("OPUS")), "no-usable-media"),
        (parameters(offer(rate=True)), "no-usable-media"),
        (parameters(customConfig={"consent": "maybe"}), "bad-field"),
        (parameters(customConfig=[]), "bad-field"),
        (parameters(language=7), "bad-field"),
        (parameters(supportedLanguages=1), "bad-field"),
    ],
)
def test_an_open_that_will_not_do_is_refused_by_name(says: dict[str, Any], code: str) -> None:
    client = Client(AudioHook(organization=ORGANIZATION))
    assert refusal(client, client.text("open", says)).code == code
    with pytest.raises(RefusedError) as caught:
        client.say("ping")
    assert caught.value.code == "after-close"


@pytest.mark.parametrize(
    ("kind", "says", "code"),
    [
        ("open", parameters(), "second-open"),
        ("close", {"reason": "tired"}, "bad-field"),
        ("update", {}, "missing-field"),
        ("discarded", {"start": "PT0S"}, "missing-field"),
        ("discarded", {"start": "PT0S", "discarded": f"PT{LONGEST_JUMP_S + 1}S"}, "jump"),
        ("resumed", {"start": "PT0S", "discarded": 5}, "bad-field"),
    ],
)
def test_what_an_open_session_may_not_say(kind: str, says: dict[str, Any], code: str) -> None:
    client = opened_client()
    assert refusal(client, client.text(kind, says)).code == code


def test_sound_at_the_wrong_time_or_of_the_wrong_size_is_refused() -> None:
    odd = opened_client()
    assert odd.say("transcribe") == [PassedOver("unknown-event")]
    assert odd.hook.receive(b"\xff\xff\xff")[-1] == PassedOver("bad-length")
    assert [event.start for event in odd.hook.receive(b"\xff\xff") if isinstance(event, Sound)] == [1, 1]
    for _ in range(MOST_IN_A_ROW - 1):
        assert odd.hook.receive(b"\xff")[-1] == PassedOver("bad-length")
    assert refusal(odd, b"\xff").code == "bad-length"
    assert refusal(opened_client(), bytes(LARGEST_SOUND + 2)).code == "message-too-large"
    hook = AudioHook()
    with pytest.raises(RefusedError) as caught:
        hook.receive(b"\xff\xff")
    assert caught.value.code == "sound-before-open"
    client = Client()
    with pytest.raises(RefusedError) as caught:
        client.say("discarded", {"start": "PT0S", "discarded": "PT1S"})
    assert caught.value.code == "not-open"


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
