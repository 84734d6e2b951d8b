"""``python -m tests.server.neighbours.virtual_time serve …``: a server that believes how much time a call says has passed.

So eleven hours of silence can be tried in an instant. Everything behind the check is as it is.
"""

from __future__ import annotations

import sys

from stream_ser.cli.main import main
from stream_ser.server import media_session


def believe() -> None:
    """Take away the check that no call is ahead of the clock."""
    media_session.position = lambda *_: None  # type: ignore[assignment]


if __name__ == "__main__":
    believe()
    sys.exit(main())
