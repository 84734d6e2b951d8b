"""Count a network's parameters and multiply-accumulates, to hold it against its paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(network: nn.Module) -> int:
    """Parameters that a network learns, frozen ones of a pre-trained part included where it has such."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs(network: nn.Module, *inputs: Tensor) -> int:
    """Multiply-accumulates of convolutions and matrix products for these inputs.

    Where the network begins with a front end, its DFT is counted too, because it is two matrix products.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    return int(counter.get_total_flops()) // 2
