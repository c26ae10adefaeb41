"""Networks in double precision, so that a prediction does not depend on which others share its batch.

In single precision a matrix product rounds differently with the number of its rows: conductivities move by 3e-6
(relative) with their batch, which shows in the fourth digit of one row in some hundred. In double precision they move
by 6e-15. It costs 15 % of the time of a crystal, and nothing that shows beside the thermodynamics.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

_DONE = "_in_double_precision"


def in_double_precision(*owners: Any) -> None:
    """Let every network that is an attribute of `owners` (or in a list or dict there) compute in double precision.

    Inputs are cast where they enter a layer, so callers go on handing over single precision.
    """
    for owner in owners:
        for network in _networks(owner):
            if getattr(network, _DONE, False):
                continue
            network.double()
            for layer in network.modules():
                layer.register_forward_pre_hook(_cast)
            setattr(network, _DONE, True)


def _networks(owner: Any) -> Iterator[nn.Module]:
    values = [owner] if isinstance(owner, nn.Module) else list(vars(owner).values())
    for value in values:
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
        yield from (part for part in parts if isinstance(part, nn.Module))


def _cast(layer: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_doubled(value) for value in arguments)


def _doubled(value: Any) -> Any:
    return value.double() if torch.is_tensor(value) and value.is_floating_point() else value
