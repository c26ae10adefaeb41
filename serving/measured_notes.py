"""A warning where the very material that is asked for was measured, and is not as predicted.

The model may have learned from these values: it weighs them against relatives, doubts single ones, and sees a formula
through borrowed cells. Whoever asks should see them all the same.
"""

import math
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.reference import ReferenceList, reference_list, same_measurement
from ionscout.datasets.structure import Material

if TYPE_CHECKING:  # torch takes seconds to import
    from ionscout.models.conductivity.predictor import ConductivityPrediction

NEAR = 10.0  # K from the temperature that was asked for: a usual activation energy moves a value by 0.2 decades over it
FAR_OFF = 1.0  # decades from the prediction; repeats by two laboratories differ by 0.45 in the median
NAMED = 3  # values that a warning names, the farthest ones


def measured_notes(material: Material, found: "ConductivityPrediction") -> list[str]:
    """At most one sentence: measured values of this composition outside the interval or a decade from the prediction.

    Rows of the other kind of conductivity and of another space group than the material's are not compared. An upper
    bound contradicts a prediction above it, never one below.
    """
    references = _references(settings().data_dir)
    if isinstance(references, str):
        return [references]
    group = None if material.cell is None else material.cell.space_group
    rows = [
        m
        for m in references.repeats(material.composition, group)
        if abs(m.temperature_K - found.temperature_K) <= NEAR and m.kind in (found.kind, "unknown")
    ]
    samples = _samples(rows)
    off = [max(sample, key=lambda m: _off(m, found)) for sample in samples]
    off = sorted((m for m in off if _off(m, found) > 0), key=lambda m: -_off(m, found))
    if not off:
        return []
    more = f" and {len(off) - NAMED} more" if len(off) > NAMED else ""
    count = f"{len(off)} of {len(samples)} published conductivities"
    what = "the one published conductivity" if len(samples) == 1 else count
    return [
        f"Measured otherwise: {what} of this composition near {found.temperature_K:.0f} K "
        f"{'lies' if len(off) == 1 else 'lie'} outside the interval or more than a decade from the prediction: "
        f"{', '.join(_named(m) for m in off[:NAMED])}{more}."
    ]


def _off(m: Measurement, found: "ConductivityPrediction") -> float:
    """Decades between measured and predicted where they contradict each other, else 0."""
    predicted, value = math.log10(found.conductivity), m.log10_conductivity
    apart = predicted - value if m.censored else abs(predicted - value)
    outside = value < math.log10(found.lower) or (value > math.log10(found.upper) and not m.censored)
    return apart if outside or apart > FAR_OFF else 0.0


def _samples(rows: list[Measurement]) -> list[list[Measurement]]:
    """Rows that are one sample read from several tables together: one publication, or one value."""
    samples: list[list[Measurement]] = []
    for row in rows:
        known = next((s for s in samples if any(same_measurement(row, m) for m in s)), None)
        if known is None:
            samples.append([row])
        else:
            known.append(row)
    return samples


def _named(m: Measurement) -> str:
    group = f", space group {m.space_group}" if m.space_group else ""
    bound = "<" if m.censored else ""
    return f"{bound}{10.0**m.log10_conductivity:.1e} S/cm ({m.doi or m.reference or m.source}{group})"


@lru_cache(maxsize=2)
def _references(data_dir: Path | None) -> ReferenceList | str:
    """The measured rows, or one sentence why there are none: a broken table must not take the prediction with it."""
    try:
        return reference_list()
    except IonscoutError as error:
        return f"Measured values could not be compared: {error}"
