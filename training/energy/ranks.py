"""Ranks of a data-parallel fit: each computes its share of every batch, gradients are averaged over all of them."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel


class Ranks(Protocol):
    """The ranks of one fit, as one of them sees them."""

    count: int
    first: bool

    def joined(self, net: nn.Module) -> nn.Module:
        """The network, whose gradients are from now on means over the ranks."""

    def share_of(self, rows: Tensor) -> Tensor:
        """The rows of a batch that this rank computes."""

    def agreed(self, value: float) -> float:
        """What the first rank says; clocks differ."""

    def summed(self, values: np.ndarray) -> np.ndarray:
        """The sum over the ranks."""


class Alone:
    """One process."""

    count, first = 1, True

    def joined(self, net: nn.Module) -> nn.Module:
        return net

    def share_of(self, rows: Tensor) -> Tensor:
        return rows

    def agreed(self, value: float) -> float:
        return value

    def summed(self, values: np.ndarray) -> np.ndarray:
        return values


class Group:
    """One of several processes of the open `torch.distributed` group (gloo between processors, NCCL between GPUs)."""

    def __init__(self) -> None:
        self.number, self.count = distributed.get_rank(), distributed.get_world_size()
        self.first = self.number == 0
        self._device = torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")

    def joined(self, net: nn.Module) -> nn.Module:
        return DistributedDataParallel(net)

    def share_of(self, rows: Tensor) -> Tensor:
        return rows[self.number :: self.count]

    def agreed(self, value: float) -> float:
        kept = torch.tensor([value], dtype=torch.float64, device=self._device)
        distributed.broadcast(kept, 0)
        return float(kept)

    def summed(self, values: np.ndarray) -> np.ndarray:
        total = torch.tensor(values, dtype=torch.float64, device=self._device)
        distributed.all_reduce(total)
        return total.cpu().numpy()
