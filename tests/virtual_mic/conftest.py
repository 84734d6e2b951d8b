from __future__ import annotations

from collections.abc import Iterator

import pytest

from .virtual_mic import VirtualMicrophone, missing


@pytest.fixture(scope="session")
def virtual_mic() -> Iterator[VirtualMicrophone]:
    """A microphone that records what ``play(path)`` plays; ``environment()`` is for the program that listens."""
    reason = missing()
    if reason is not None:
        pytest.skip(f"no virtual microphone: {reason}")
    microphone = VirtualMicrophone()
    yield microphone
    microphone.stop()
