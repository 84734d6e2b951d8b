"""Whom a call is about, for those who watch it: an alias of the caller, a queue, an alias of the agent. Pure.

A call's own parameters may say anything, a card number included. So nothing of them is shown or kept but those that whoever
runs the server has named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream_ser.feed import call_messages
from stream_ser.feed.message_types import AboutMessage

LONGEST = 64  # characters that are shown; what is longer is cut


@dataclass(frozen=True, slots=True)
class AboutParameters:
    """Names of a call's parameters; empty where nothing is to be shown."""

    caller: str = ""
    queue: str = ""
    agent: str = ""

    def of(self, parameters: Mapping[str, str]) -> AboutMessage:
        """What the parameters of a call say under these names; None for what they do not."""

        def said(name: str) -> str | None:
            text = " ".join(parameters.get(name, "").split()) if name else ""
            return (text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…") or None

        return call_messages.about(said(self.caller), said(self.queue), said(self.agent))


NOTHING = AboutParameters()
