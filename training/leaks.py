"""What an extra table would tell a model about the rows it is tested on, and the extra table without it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.repeats import (
    SAME_TEMPERATURE,
    SAME_VALUE,
    conductivities,
    fraction_matrix,
    publication,
    temperatures,
)
from ionscout.training.folds import SAME_COMPOSITION

# A formula that lost or gained something in copying still has the elements, the temperature and the value.
MISCOPIED = 0.03  # atomic fractions

Reason = Literal["composition", "publication", "value"]


@dataclass(frozen=True)
class Leak:
    """An extra row that must not train a model tested on `held_out`; `reason` is the first that applies.

    composition: the same within 0.01 atomic fractions. publication: one DOI or reference. value: the same elements
    within 0.03 atomic fractions, the same temperature (5 K) and value (2 %): a miscopied row of the same measurement.
    """

    extra: Measurement
    held_out: Measurement
    reason: Reason


def leaks(extra: Sequence[Measurement], held_out: Sequence[Measurement]) -> list[Leak]:
    """Every row of `extra` that tells about the held-out rows, once each, in order."""
    if not extra or not held_out:
        return []
    fractions, values, kelvins = fraction_matrix(held_out), conductivities(held_out), temperatures(held_out)
    present = fractions > 0
    published: dict[str, Measurement] = {}
    for m in held_out:
        for key in _publications(m):
            published.setdefault(key, m)
    found = []
    for row, vector in zip(extra, fraction_matrix(extra), strict=True):
        apart = np.abs(fractions - vector).max(1)
        nearest = int(apart.argmin())
        if apart[nearest] < SAME_COMPOSITION + 1e-6:  # float32 fractions: the border belongs to "the same"
            found.append(Leak(row, held_out[nearest], "composition"))
            continue
        shared = next((published[key] for key in _publications(row) if key in published), None)
        if shared is not None:
            found.append(Leak(row, shared, "publication"))
            continue
        copied = (apart <= MISCOPIED) & (present == (vector > 0)).all(1)
        copied &= np.abs(values - row.log10_conductivity) <= SAME_VALUE  # false for NaN
        copied &= np.abs(kelvins - row.temperature_K) <= SAME_TEMPERATURE
        if copied.any():
            found.append(Leak(row, held_out[int(copied.argmax())], "value"))
    return found


def independent(extra: Sequence[Measurement], held_out: Sequence[Measurement]) -> list[Measurement]:
    """Those of `extra` that may train a model tested on the held-out rows. To be called for every split."""
    leaking = {id(leak.extra) for leak in leaks(extra, held_out)}
    return [m for m in extra if id(m) not in leaking]


def leak_counts(found: Sequence[Leak]) -> dict[Reason, int]:
    """Leaks by reason."""
    return dict(Counter(leak.reason for leak in found))


def _publications(m: Measurement) -> set[str]:
    return {key for key in (m.doi, m.reference, publication(m)) if key}
