"""Join a Ray cluster, or start one of this machine alone. Ray is given by who has imported it, for it may not be installed."""

from __future__ import annotations

import logging
import os
import re
import socket
from typing import Any

ADDRESS = re.compile(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)")  # anything else has a meaning to Ray alone
CALL_S = 10.0
START_S = 300  # that a machine may take to start a cluster of its own; to Ray's 30 s a crowded one is a broken one


def join(ray: Any, address: str | None) -> bool:
    """Join the cluster at ``address``, or Ray's own choice of one; gives whether it was this that joined.

    Raises OSError where nobody answers there, and what Ray raises.
    """
    logging.getLogger("ray").setLevel(logging.ERROR)
    os.environ.setdefault("RAY_raylet_start_wait_time_s", str(START_S))  # Ray has no argument for it
    known = ADDRESS.fullmatch(address or "")
    if known is not None:  # where nobody answers Ray itself would go on asking for minutes
        socket.create_connection((known[1], int(known[2])), CALL_S).close()
    if ray.is_initialized():
        return False
    ray.init(address=address, log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
    return True
