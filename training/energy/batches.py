"""Which compositions a fit sees, how often, and in which batches."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ionscout.training.energy.config import Draws
from ionscout.training.energy.data import CompositionTable

_COMMON = 5  # elements; batches with more are padded to the largest number, so that there are few shapes in all


def mean_draws(table: CompositionTable, draws: Draws) -> np.ndarray:
    """Mean number of draws of each row per epoch, [N]."""
    rest = np.where(table.battery, draws.battery, np.where(table.stable, draws.stable, draws.other))
    known = np.where(table.stable & table.battery, draws.stable_battery, rest)
    return np.where(table.known, known, draws.gap_only)


def batches(
    table: CompositionTable, draws: np.ndarray, size: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, int]]:
    """One epoch of random batches: rows, [size], and how many columns of `z` and `fraction` they need.

    The rows of a batch have (almost) the same number of elements, which leaves next to no padding.
    """
    counts = np.floor(draws).astype(int) + (rng.random(len(draws)) < draws % 1)
    rows = rng.permutation(np.repeat(np.arange(len(draws)), counts))
    rows = rows[: max(size, len(rows) // size * size)]  # whole batches only, so that torch.compile sees few shapes
    elements = table.element_count
    rows = rows[np.argsort(elements[rows], kind="stable")]
    parts = [rows[i : i + size] for i in range(0, len(rows), size)]
    for i in rng.permutation(len(parts)):
        widest = int(elements[parts[i]].max())
        yield torch.from_numpy(parts[i]), widest if widest <= _COMMON else int(elements.max())
