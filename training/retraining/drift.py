"""How unlike the rows that trained the champion the new rows are: which elements, and how far in composition."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Element

from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.repeats import fraction_matrix
from ionscout.models.uncertainty import nearest_distance

LEAST = 10  # new rows, below which nothing is concluded
FARTHER = 2.0  # median distance to the nearest trained composition, against that between trained ones
UNSEEN = 0.05  # share of new rows with an element that no trained row has


@dataclass(frozen=True)
class Drift:
    """New rows against those that trained the champion. Drift is no fault: it is why one retrains, and says that
    out-of-fold errors on the old rows tell less about the new ones.

    Attributes:
        verdict: "ok", "drift", or "too few" to tell.
        unseen_elements: new rows by element that no trained row contains.
        median_distance, trained_median_distance: Euclidean, atomic fractions, to the nearest trained composition and
            between trained ones.
    """

    verdict: str
    rows: int
    unseen_elements: dict[str, int]
    median_distance: float | None
    trained_median_distance: float | None
    words: str


def drift(new: Sequence[Measurement], trained: Sequence[Measurement]) -> Drift:
    """Compare compositions."""
    if len(new) < LEAST or len(trained) < LEAST:
        return Drift("too few", len(new), {}, None, None, f"{len(new)} new rows are too few to tell")
    there, here = fraction_matrix(trained), fraction_matrix(new)
    distinct = np.unique(np.round(there, 6), axis=0)
    between = float(np.median(2 * nearest_distance(distinct, distinct, neighbours=2)))  # mean of itself and the nearest
    away = float(np.median(nearest_distance(here, distinct, neighbours=1)))
    absent = (here > 0) & ~(there > 0).any(0)
    unseen = {Element.from_Z(int(z)).symbol: int(absent[:, z].sum()) for z in np.flatnonzero(absent.any(0))}
    strange = float(absent.any(1).mean())
    reasons = []
    if strange > UNSEEN:
        reasons.append(f"{strange:.0%} contain an element that was never trained on ({', '.join(unseen)})")
    if away > FARTHER * between:
        reasons.append(f"their compositions are {away / between:.1f} times as far from the trained ones as those are")
    words = f"{len(new)} new rows: " + ("; ".join(reasons) if reasons else "compositions like those trained on")
    return Drift("drift" if reasons else "ok", len(new), unseen, away, between, words)
