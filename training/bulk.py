"""How far bulk conductivities lie above total ones, from samples of which a paper reports both."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.repeats import publication
from ionscout.models.conductivity.kinds import BulkShift

FEWEST = 3  # publications: fewer say nothing of how much samples differ


def bulk_shift(measurements: Sequence[Measurement]) -> BulkShift | None:
    """Median and spread over publications, each counted once by its median sample; None if there are too few."""
    both = [m for m in measurements if m.log10_bulk is not None]
    by_paper: dict[str, list[float]] = {}
    for m in both:
        by_paper.setdefault(publication(m) or m.id, []).append(m.log10_bulk - m.log10_conductivity)  # type: ignore[operator]
    if len(by_paper) < FEWEST:
        return None
    shifts = np.array([np.median(values) for values in by_paper.values()])
    decades = float(np.median(shifts))
    family, count = Counter(m.family or "unknown" for m in both).most_common(1)[0]
    return BulkShift(
        decades=decades,
        deviation=float(np.sqrt(np.mean((shifts - decades) ** 2))),
        samples=len(both),
        publications=len(by_paper),
        family=family,
        share=count / len(both),
    )
