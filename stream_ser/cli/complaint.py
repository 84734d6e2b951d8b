"""How a person is told what is wrong. Imports nothing that takes time: every command line reads this."""

from __future__ import annotations

import sys

from stream_ser.printable import printable

NEW_LINE = "\n"


def complain(what: object) -> None:
    """Tell a person on standard error what is wrong."""
    print(f"stream-ser: {printable(str(what), keep=NEW_LINE)}", file=sys.stderr)
