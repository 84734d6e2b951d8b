"""What nobody hears moves no label: a constant offset, and a channel that is wired the wrong way round."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

import stream_ser
from stream_ser_models.card import shipped
from tests.conftest import BUNDLED

OFFSET = 10 ** (-23 / 20)  # of full scale; users measured as much
POINTS = 0.03


@pytest.mark.parametrize("model", shipped())
def test_label_shares_stay_with_an_offset_and_in_opposite_phase(model: str) -> None:
    sound, rate = soundfile.read(BUNDLED, dtype="float32", frames=12 * 16_000)
    with stream_ser.Monitor(model=model, hop=0.5) as monitor:
        plain = monitor.analyze(sound, rate=rate).summary["share"]
        moved = monitor.analyze(sound + np.float32(OFFSET), rate=rate).summary["share"]
        turned = np.stack([sound, -(10 ** (-0.1 / 20)) * sound], axis=1).astype(np.float32)
        alone = monitor.analyze(turned, rate=rate).summary["share"]
    assert sum(plain.values()) == pytest.approx(1.0)
    for share in (moved, alone):
        assert share == {label: pytest.approx(part, abs=POINTS) for label, part in plain.items()}
