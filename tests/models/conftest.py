"""One torch thread, and networks whose logits have the size that trained ones have."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tqdm import tqdm

from stream_ser_models.tfcnn import TFCNN, TFCNNConfig

torch.set_num_threads(1)
tqdm.monitor_interval = 0  # no thread of its own inside torch's exporter


@pytest.fixture(scope="session")
def lively() -> Callable[..., TFCNN]:
    """Make a seeded network whose batch-norm statistics fit its input, so that a wrong layer moves the logits."""

    def make(head: str = "attention", seed: int = 0, widths: tuple[int, int, int, int] = (32, 48, 64, 80)) -> TFCNN:
        torch.manual_seed(seed)
        network = TFCNN(TFCNNConfig(head=head, widths=widths))
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the statistics of the one batch that follows
        noise = torch.randn(2, 32_000) * torch.logspace(-3, -1, 32_000)
        with torch.no_grad():
            network.train()(noise)
        return network.eval()

    return make
