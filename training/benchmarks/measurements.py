"""The measurements behind the conductivity models: how they were cleaned, how they overlap, how noisy they are."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.cleaning import CleaningReport
from ionscout.datasets.templates import Template, templates_of
from ionscout.training.benchmarks.thermo_report import table
from ionscout.training.borrowing import WORST_MISMATCH, borrowed
from ionscout.training.folds import SAME_COMPOSITION, grouped_folds, publications
from ionscout.training.leaks import independent, leak_counts, leaks
from ionscout.training.measurements import JoinedTable, Noise, Overlap, noise

FOLDS, SEED = 5, 0  # those of the development protocol
NEAR_RELATIVE = 0.1  # mismatch of a placement up to which a template is a near relative, see `Completed`


@dataclass(frozen=True)
class SourceSize:
    """Rows of one source before and after copies of better sources were removed, and what the remaining ones have."""

    source: str
    rows: int
    kept: int
    with_structure: int
    with_energy: int
    off_room_temperature: int
    bounds: int


@dataclass(frozen=True)
class StructureKinds:
    """What structure the rows of one source train with: each row is counted once.

    Attributes:
        own_crystal: measured for this formula and phase. near_template, far_template: the best crystal of the same
            space group among all rows, filled with the row's composition in its own cell, up to a mismatch of 0.1 and
            of 1.
        cell_alone: known cell, but no template of the group fits. composition_alone: neither cell nor positions.
    """

    source: str
    own_crystal: int
    near_template: int
    far_template: int
    cell_alone: int
    composition_alone: int


@dataclass(frozen=True)
class FoldLeaks:
    """What the extra rows would tell about one held-out fold, by reason, and how many rows may train."""

    held_out: int
    extra: int
    composition: int
    publication: int
    value: int
    allowed: int
    leaks_after: int


@dataclass(frozen=True)
class NoiseRow:
    """The spread of repeats under one definition of "the same composition"."""

    rows: str
    tolerance: float
    pairs: int
    compositions: int
    mean: float
    median: float
    mean_by_composition: float
    median_by_composition: float


@dataclass(frozen=True)
class MeasurementsReport:
    """Everything the page prints."""

    sources: tuple[SourceSize, ...]
    cleaning: tuple[CleaningReport, ...]
    overlaps: tuple[Overlap, ...]
    folds: tuple[FoldLeaks, ...]
    noise: tuple[NoiseRow, ...]
    structures: tuple[StructureKinds, ...]

    def as_dict(self) -> dict:
        return asdict(self)


def run(joined: JoinedTable) -> MeasurementsReport:
    """Count everything in a joined table.

    Raises:
        DataUnavailable: OBELiX is not among its sources.
    """
    main = [m for m in joined.measurements if m.source == "obelix"]
    if not main:
        raise DataUnavailable("OBELiX is not on this machine; set IONSCOUT_DATA_DIR to the data folder.")
    extra = joined.extra()
    spreads = [("all sources", joined.measurements, t) for t in (0.002, SAME_COMPOSITION)] + [("obelix", main, 0.002)]
    return MeasurementsReport(
        tuple(_size(source, rows, joined.measurements) for source, rows in joined.origin_rows),
        tuple(report.counts_only() for report in joined.reports),
        joined.overlaps,
        tuple(_fold(main, extra, test) for _, test in grouped_folds(publications(main), FOLDS, SEED)),
        tuple(_noise(name, t, noise(rows, t)) for name, rows, t in spreads),
        _structures(joined),
    )


def markdown(report: MeasurementsReport, command: str = "ionscout benchmark measurements --out benchmarks") -> str:
    """The page."""
    sources = [list(asdict(s).values()) for s in report.sources]
    folds = [[i + 1, *asdict(f).values()] for i, f in enumerate(report.folds)]
    parts = [
        f"# Measurements\n\nWritten by `{command}`.",
        "## Sources\n\n`kept`: after copies of rows of an earlier source were removed.\n",
        table(["source", "rows", "kept", "structure", "activation energy", "off room temperature", "bounds"], sources),
        "\n## Structures that train\n\nOwn crystal: measured for the row or for another one of its formula and phase. "
        "Templates: the best crystal of the same space group among all rows here, filled with the row's composition in "
        f"its own cell; near up to a placement mismatch of {NEAR_RELATIVE} per atom, far up to {WORST_MISMATCH:.0f}, "
        "beyond which the cell alone is read. In cross-validation held-out rows lend nothing, so that fewer rows find "
        "one. Rows without cell get no template and train with their composition alone.\n",
        table(
            ["source", "own crystal", "near template", "far template", "cell alone", "composition alone"],
            [list(asdict(s).values()) for s in report.structures],
        ),
        "\n## Copies between sources\n\nComposition within 0.01 atomic fractions, temperature within 5 K, value within "
        "2 %; or publication, formula and temperature.\n",
        table(
            ["source", "copies of", "by value", "by publication"], [list(asdict(o).values()) for o in report.overlaps]
        ),
        "\n## What extra rows would leak into held-out folds\n\n"
        f"OBELiX training part, {FOLDS} folds grouped by DOI, seed {SEED}.\n",
        table(
            ["fold", "held out", "extra", "by composition", "by publication", "by value", "may train", "leaks then"],
            folds,
        ),
        "\n## Noise of the labels\n\n|Δ log10 σ| of repeats by different publications, within 10 K of 298 K, copies "
        "left out.\n",
        table(
            ["rows", "tolerance", "pairs", "compositions", "mean", "median", "mean by composition", "median by it"],
            [list(asdict(n).values()) for n in report.noise],
        ),
    ]
    parts += [f"\n## Cleaning of {c.source}\n\n{c.markdown()}" for c in report.cleaning]
    return "\n".join(parts)


def _size(source: str, rows: int, measurements: Sequence[Measurement]) -> SourceSize:
    kept = [m for m in measurements if m.source == source]
    return SourceSize(
        source,
        rows,
        len(kept),
        sum(m.structure is not None for m in kept),
        sum(m.activation_energy_eV is not None for m in kept),
        sum(abs(m.temperature_K - 298.15) > 10 for m in kept),
        sum(m.censored for m in kept),
    )


def _structures(joined: JoinedTable) -> tuple[StructureKinds, ...]:
    """One line for each source, and one for all of them."""
    templates = templates_of(joined.measurements)
    kinds = [(m.source, _kind(m, templates)) for m in joined.measurements]
    lines = []
    for source in [*dict.fromkeys(name for name, _ in joined.origin_rows), "all"]:
        count = Counter(kind for of, kind in kinds if source in (of, "all"))
        lines.append(StructureKinds(source, *(count[kind] for kind in KINDS)))
    return tuple(lines)


KINDS = [field.name for field in fields(StructureKinds)][1:]


def _kind(m: Measurement, templates: Sequence[Template]) -> str:
    if m.structure is not None:
        return "own_crystal"
    if m.cell is None:
        return "composition_alone"
    found = borrowed(m.composition, m.cell, templates)
    if found is None:
        return "cell_alone"
    return "near_template" if found.mismatch <= NEAR_RELATIVE else "far_template"


def _fold(main: Sequence[Measurement], extra: Sequence[Measurement], test: np.ndarray) -> FoldLeaks:
    held_out = [main[i] for i in test]
    counts, allowed = leak_counts(leaks(extra, held_out)), independent(extra, held_out)
    return FoldLeaks(
        len(held_out),
        len(extra),
        counts.get("composition", 0),
        counts.get("publication", 0),
        counts.get("value", 0),
        len(allowed),
        len(leaks(allowed, held_out)),
    )


def _noise(rows: str, tolerance: float, found: Noise) -> NoiseRow:
    return NoiseRow(
        rows,
        tolerance,
        found.pairs,
        found.compositions,
        found.mean,
        found.median,
        found.mean_by_composition,
        found.median_by_composition,
    )
