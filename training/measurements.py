"""One table of measurements over all sources: joined, copies removed, checked against held-out rows, and its noise."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.cleaning import CleaningReport
from ionscout.datasets.sources.conductivity_1011 import Conductivity1011
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.sources.laskowski import Laskowski
from ionscout.datasets.sources.liverpool import Liverpool
from ionscout.datasets.sources.obelix import Obelix
from ionscout.datasets.sources.repeats import (
    SAME_FORMULA,
    SAME_TEMPERATURE,
    SAME_VALUE,
    conductivities,
    copies,
    fraction_matrix,
    publication,
    temperatures,
)
from ionscout.datasets.sources.tables import Table, inherit
from ionscout.training.folds import SAME_COMPOSITION

NEAR_ROOM = (288.15, 308.15)  # K
ROOM_PER_KELVIN = 0.02  # decades a kelvin at 300 K and 0.35 eV, to bring near-room values to one temperature


@dataclass(frozen=True)
class Overlap:
    """Rows of one source that were copies of rows of another, which stayed."""

    source: str
    of: str
    same_value: int
    same_publication: int


@dataclass(frozen=True)
class JoinedTable:
    """All sources in one list, best source first; `reports` say how the tables were cleaned.

    `origin_rows` counts the rows of each source before copies were removed, `rows` after.
    """

    measurements: list[Measurement]
    overlaps: tuple[Overlap, ...]
    reports: tuple[CleaningReport, ...]
    origin_rows: tuple[tuple[str, int], ...]

    @property
    def rows(self) -> dict[str, int]:
        """Rows of each source that stayed."""
        counts: dict[str, int] = defaultdict(int)
        for m in self.measurements:
            counts[m.source] += 1
        return dict(counts)

    def extra(self, source: str = "obelix") -> list[Measurement]:
        """The rows that are not of the benchmark source: what may help to train it."""
        return [m for m in self.measurements if m.source != source]


def joined_table(folder: Path | None = None, own: Sequence[Measurement] = ()) -> JoinedTable:
    """OBELiX's training part, the embedded set, Liverpool, Laskowski and the 1,011-row table, those that are here.

    Args:
        folder: of OBELiX, when it is not the one in the data directory; then it must be there.
        own: the user's rows; they go before everything but OBELiX.

    Raises:
        BadData: a table that is here cannot be read.
        DataUnavailable: the folder that was named has no OBELiX table.
    """
    groups: list[list[Measurement]] = []
    reports = []
    if folder is not None:
        groups.append(Obelix(folder, "train").load())
    else:
        with suppress(DataUnavailable):  # the embedded set always is there
            groups.append(Obelix(part="train").load())
    if own:
        groups.append(list(own))
    groups.append(Embedded().load())
    tables: tuple[Table, ...] = (Liverpool(), Laskowski(), Conductivity1011())
    for table in tables:
        if table.available():
            clean = table.clean()
            groups.append(clean.measurements)
            reports.append(clean.report)
    joined = join(groups)
    return replace(joined, reports=tuple(reports))


def join(groups: Sequence[Sequence[Measurement]]) -> JoinedTable:
    """Put sources together; rows of a later one that copy a row of an earlier one are dropped.

    A copy has the composition (atomic fractions within 0.01), the temperature (5 K) and the value (2 %) of an earlier
    row, or its publication, its formula (0.002) and its temperature: then it is the same sample read again (rows
    known as bulk and total are two measurements and both stay). What only the copy knew (activation energy, space
    group, DOI) goes to the row that stays. Repeats by other laboratories stay. Families and structures are lent to
    rows of one formula, structures only where no polymorph can be meant.
    """
    kept: list[Measurement] = []
    tally: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for group in groups:
        by_value = _nearest(copies(group, kept, SAME_COMPOSITION), group, kept)
        by_publication = _of_one_publication(group, kept)
        fresh = []
        for i, m in enumerate(group):
            original = by_value.get(i, by_publication.get(i))
            if original is None:
                fresh.append(m)
                continue
            if _one_formula(m, kept[original]):
                kept[original] = inherit(kept[original], m)
            tally[m.source, kept[original].source][0 if i in by_value else 1] += 1
        kept += fresh
    overlaps = tuple(Overlap(s, of, same, published) for (s, of), (same, published) in tally.items())
    sizes = tuple((group[0].source, len(group)) for group in groups if group)
    return JoinedTable(_lend(kept), overlaps, (), sizes)


@dataclass(frozen=True)
class Noise:
    """How far independent measurements of one composition near room temperature lie apart.

    `differences` [pairs]: |Δ log10 σ| of every pair from different publications, brought to one temperature.
    `mean_by_composition` weighs every composition equally, so that a few much-studied ones do not decide.
    """

    differences: np.ndarray
    mean: float
    median: float
    pairs: int
    compositions: int
    mean_by_composition: float
    median_by_composition: float


def noise(measurements: Sequence[Measurement], tolerance: float = SAME_FORMULA) -> Noise:
    """The spread of repeats: a floor for the error of any model on such labels.

    Pairs are uncensored, from different publications, within 10 K of 298 K, and no copies of each other (more
    than 2 % apart): a value that went from paper to paper is not a second measurement.
    """
    low, high = NEAR_ROOM
    rows = [
        m
        for m in measurements
        if low <= m.temperature_K <= high and not m.censored and np.isfinite(m.log10_conductivity)
    ]
    fractions, kelvins = fraction_matrix(rows), temperatures(rows)
    values = conductivities(rows) - ROOM_PER_KELVIN * (kelvins - 298.15)
    names = [publication(m) or m.name for m in rows]
    first, second = [], []
    for i in range(len(rows)):
        same = np.abs(fractions[i + 1 :] - fractions[i]).max(1, initial=0.0) <= tolerance
        for j in i + 1 + np.flatnonzero(same):
            copied = abs(rows[i].log10_conductivity - rows[j].log10_conductivity) <= SAME_VALUE
            if names[i] != names[j] and not copied:
                first.append(i)
                second.append(int(j))
    apart = np.abs(values[first] - values[second]) if first else np.zeros(0)
    owner = _clusters(fractions, tolerance)[first] if first else np.zeros(0, dtype=int)
    per_composition = np.array([apart[owner == c].mean() for c in np.unique(owner)])
    nothing = float("nan")
    return Noise(
        apart,
        float(apart.mean()) if len(apart) else nothing,
        float(np.median(apart)) if len(apart) else nothing,
        len(apart),
        len(per_composition),
        float(per_composition.mean()) if len(apart) else nothing,
        float(np.median(per_composition)) if len(apart) else nothing,
    )


def _nearest(
    pairs: Sequence[tuple[int, int]], group: Sequence[Measurement], kept: Sequence[Measurement]
) -> dict[int, int]:
    """Row of `group` → the row of `kept` nearest in composition, of all that it copies."""
    distance: dict[int, tuple[float, int]] = {}
    for i, j in pairs:
        apart = float(np.abs(np.subtract(*fraction_matrix([group[i], kept[j]]))).max())
        distance[i] = min(distance.get(i, (np.inf, j)), (apart, j))
    return {i: j for i, (_, j) in distance.items()}


def _of_one_publication(group: Sequence[Measurement], kept: Sequence[Measurement]) -> dict[int, int]:
    """Row of `group` → earlier row of the same publication, formula and temperature, unless bulk faces total."""
    published: dict[str, list[int]] = defaultdict(list)
    for j, m in enumerate(kept):
        if publication(m):
            published[publication(m)].append(j)
    found = {}
    for i, m in enumerate(group):
        for j in published.get(publication(m), []):
            near = abs(m.temperature_K - kept[j].temperature_K) <= SAME_TEMPERATURE
            if near and {m.kind, kept[j].kind} != {"bulk", "total"} and _one_formula(m, kept[j]):
                found[i] = j
                break
    return found


def _one_formula(a: Measurement, b: Measurement) -> bool:
    return bool(np.abs(np.subtract(*fraction_matrix([a, b]))).max() <= SAME_FORMULA)


def _lend(rows: list[Measurement]) -> list[Measurement]:
    """Rows without family or structure take them from a row of the same formula.

    A structure is lent in the space group that the row reports, or where the formula is known in one group only.
    """
    fractions = fraction_matrix(rows)
    lenders = np.array([i for i, m in enumerate(rows) if m.structure is not None or m.family], dtype=int)
    complete = []
    for i, m in enumerate(rows):
        same = lenders[np.abs(fractions[lenders] - fractions[i]).max(1, initial=0.0) <= SAME_FORMULA]
        family = m.family or next((rows[j].family for j in same if rows[j].family), "")
        donors = [rows[j] for j in same if rows[j].structure is not None]
        groups = {_group(d) for d in donors}
        if m.structure is None and m.cell is None:
            fitting = [d for d in donors if _group(d) == m.space_group] if m.space_group else donors
            if fitting and (m.space_group or len(groups) == 1):
                m = replace(m, structure=fitting[0].structure, cell=fitting[0].cell)
        complete.append(replace(m, family=family) if family != m.family else m)
    return complete


def _group(m: Measurement) -> int | None:
    return m.space_group or (m.cell.space_group if m.cell else None)


def _clusters(fractions: np.ndarray, tolerance: float) -> np.ndarray:
    """Number of the first row of each row's composition [n]."""
    return np.array([int(np.argmax(np.abs(fractions - f).max(1) <= tolerance)) for f in fractions], dtype=int)
