from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that reads words and rates dimensions."""
    from tqdm import tqdm

    from tests.text.multimodal import make_checkpoint

    tqdm.monitor_interval = 0  # no thread of its own inside torch's exporter
    return make_checkpoint(tmp_path_factory.mktemp("tiny"))
