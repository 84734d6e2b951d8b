from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from stream_ser_models.config import Config
from stream_ser_models.network import Network, Scores
from stream_ser_training.cost import add_costs, window_ms
from stream_ser_training.records import read_records, write_record
from tests.training.made_up import record


class Loops(Network):
    """As many products of matrices as it is told."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.frontend, self.config, self.rounds = nn.Identity(), Config(), rounds

    def classify(self, features: Tensor, tokens: Tensor | None = None) -> Scores:  # noqa: ARG002
        square = features[:, :32_000].reshape(-1, 160, 200)
        for _ in range(self.rounds):
            features = square @ square.mT
        return Scores(features)


def test_more_work_costs_more_and_threads_are_given_back() -> None:
    torch.set_num_threads(2)
    try:
        assert window_ms(Loops(200), rounds=5) > 3.0 * window_ms(Loops(2), rounds=5)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_costs_go_into_the_records_of_networks_only(tmp_path: Path) -> None:
    kept = record(notes={"said": "before"})
    for item in (kept, replace(kept, seed=2), replace(kept, recipe="svm", architecture="svm")):
        write_record(tmp_path, item)
    write_record(tmp_path, replace(kept, recipe="no_longer_there"))
    assert [name for name, _ in add_costs(tmp_path, rounds=2)] == ["cnn_bilstm"]
    first, second, gone, svm = read_records(tmp_path)
    assert first.notes["said"] == "before"
    assert 0.0 < first.notes["window_ms"] == second.notes["window_ms"]
    assert "one thread" in first.notes["window_ms_how"]
    assert gone.notes == svm.notes == {"said": "before"}
