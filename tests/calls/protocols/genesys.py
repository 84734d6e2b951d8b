"""A client of AudioHook that writes what Genesys would and reads what we answer."""

from __future__ import annotations

import itertools
import json
from typing import Any

from stream_ser.calls.events import Event
from stream_ser.calls.protocols.audiohook import AudioHook
from tests.calls.sound import RATE

SESSION = "e160e428-53e2-487c-977d-96989bf5c99d"
ORGANIZATION = "d7934305-0972-4844-938e-9060eef73d05"
CONVERSATION = "090eaa2f-72fa-480a-83e0-8667ff89c0ec"
PARTICIPANT = "883efee8-3d6c-4537-b500-6d7ca4b92fa0"


def offer(form: str = "PCMU", *channels: str, rate: int = RATE) -> dict[str, Any]:
    return {"type": "audio", "format": form, "channels": list(channels) or ["external", "internal"], "rate": rate}


def parameters(*media: dict[str, Any], **changed: object) -> dict[str, Any]:
    participant = {"id": PARTICIPANT, "ani": "+1-555-555-1234", "aniName": "Jo", "dnis": "+1-800-555-6789"}
    return {
        "organizationId": ORGANIZATION,
        "conversationId": CONVERSATION,
        "participant": participant,
        "media": list(media) or [offer(), offer("PCMU", "external"), offer("PCMU", "internal")],
        "language": "en-US",
        **changed,
    }


class Client:
    """Writes a client's messages and reads ours as Genesys' does: numbered without holes, of the same session."""

    def __init__(self, hook: AudioHook | None = None) -> None:
        self.hook = hook or AudioHook()
        self.seq = itertools.count(1)
        self.sent = 0  # the number of the last message written
        self.server_seq = 0
        self.position = "PT0S"

    def text(self, kind: str, says: dict[str, Any] | None = None, **changed: object) -> str:
        self.sent = next(self.seq)
        message = {
            "version": "2",
            "id": SESSION,
            "type": kind,
            "seq": self.sent,
            "serverseq": self.server_seq,
            "position": self.position,
            "parameters": says or {},
        }
        return json.dumps({**message, **changed})

    def say(self, kind: str, says: dict[str, Any] | None = None, **changed: object) -> list[Event]:
        return self.hook.receive(self.text(kind, says, **changed))

    def read(self, *, more: list[str | bytes] | None = None) -> list[tuple[str, dict[str, Any]]]:
        read = []
        for reply in [*self.hook.replies(), *(more or [])]:
            message = json.loads(reply)
            assert set(message) == {"version", "id", "type", "seq", "clientseq", "parameters"}
            assert (message["version"], message["id"]) == ("2", SESSION)
            self.server_seq += 1
            assert message["seq"] == self.server_seq
            assert message["clientseq"] <= self.sent
            read.append((message["type"], message["parameters"]))
        return read

    def open(self, *media: dict[str, Any], **changed: object) -> list[Event]:
        return self.say("open", parameters(*media, **changed))


def opened_client(hook: AudioHook | None = None) -> Client:
    client = Client(hook)
    client.open()
    client.read()
    return client
