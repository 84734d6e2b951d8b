"""Text from elsewhere, made fit for a terminal: names of streams and files, notes, messages of other machines.

Some characters are orders to the terminal (clear the screen, change its title, type something in), some turn the order of
what is read. Whoever shows text that somebody else chose puts it through one of these. Pure.
"""

from __future__ import annotations

import json
import unicodedata

PICTURES = 0x2400  # of the control characters, in their order: ␛ for escape
DELETE, DELETE_PICTURE = "\x7f", "\u2421"
UNKNOWN = "\ufffd"
ORDERS = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, those of direction and format, halves of pairs, ends of lines
JOINERS = "\u200c\u200d"  # Persian and emoji are written with them


def printable(text: str, keep: str = "") -> str:
    """The text with a sign for each character that would do something, all but those in ``keep``; as long as it was."""
    if text.isprintable():
        return text
    return "".join(letter if letter in keep or _harmless(letter) else _sign(letter) for letter in text)


def printable_json(text: str) -> str:
    """JSON text that means the same, with such characters escaped."""
    if text.isprintable():
        return text
    return "".join(letter if _harmless(letter) else json.dumps(letter)[1:-1] for letter in text)


def _harmless(letter: str) -> bool:
    return letter.isprintable() or letter in JOINERS or unicodedata.category(letter) not in ORDERS


def _sign(letter: str) -> str:
    if letter == DELETE:
        return DELETE_PICTURE
    return chr(PICTURES + ord(letter)) if letter < " " else UNKNOWN
