"""What the screen draws without a spectrogram has a spectrogram's axis, though the screen knows nothing of sound."""

from __future__ import annotations

from stream_ser.audio.spectrogram import edges
from stream_ser.tui.state.explanation import AXIS_HZ


def test_the_axis_without_a_spectrogram_is_that_of_one() -> None:
    assert edges() == AXIS_HZ
