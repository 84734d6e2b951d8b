"""What AudioHook's sessions may not say, and how they are told so."""

from __future__ import annotations

from typing import Any

import pytest

from stream_ser.calls.events import Opened, PassedOver, RefusedError, Sound
from stream_ser.calls.protocols.audiohook import LARGEST_SOUND, NOBODY, AudioHook
from stream_ser.calls.protocols.fields import LONGEST_JUMP_S
from stream_ser.calls.protocols.tolerance import MOST_IN_A_ROW
from tests.calls.fuzz import Message
from tests.calls.protocols.genesys import ORGANIZATION, Client, offer, opened_client, parameters
from tests.calls.sound import feed


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
