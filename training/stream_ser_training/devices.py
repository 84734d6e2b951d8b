"""Where a fit runs: one CPU, one GPU, or several processes started by ``torchrun``."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


class DeviceError(Exception):
    """A device that is not there; the text says which are."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Device, the number type of the matrix products, and which of how many processes this is."""

    device: torch.device
    precision: torch.dtype
    rank: int = 0
    world: int = 1

    @property
    def chief(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[object]:
        """Context in which the network runs."""
        mixed = self.precision is not torch.float32
        return torch.autocast(self.device.type, self.precision if mixed else torch.bfloat16, enabled=mixed)

    def spread(self, network: nn.Module) -> nn.Module:
        """The network itself, or one whose gradients are averaged over the processes."""
        if self.world == 1:
            return network
        return DistributedDataParallel(network, find_unused_parameters=True)  # a loss may leave a head out

    def agree(self, value: float) -> float:
        """The chief's value, in every process."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, 0)
        return float(shared.item())


def _precision(asked: str, device: torch.device) -> torch.dtype:
    if asked != "auto":
        precision: torch.dtype = getattr(torch, asked)
        return precision
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if torch.backends.mkldnn.is_available() else torch.float32  # type: ignore[no-untyped-call]


def place(device: str = "auto", precision: str = "auto") -> Placement:
    """Choose device and precision, and join the other processes where ``torchrun`` started several.

    Raises DeviceError when CUDA is asked for and not there.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    there = torch.cuda.is_available()
    if device == "auto":
        device = "cuda" if there else "cpu"
    if device.startswith("cuda") and not there:
        raise DeviceError(f"device {device} was asked for and torch {torch.__version__} sees none; use --device cpu")
    if device == "cuda" and world > 1:
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    chosen = torch.device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo", rank=rank, world_size=world)
    return Placement(chosen, _precision(precision, chosen), rank, world)


def leave() -> None:
    """Leave the group of processes, where there is one."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.destroy_process_group()
