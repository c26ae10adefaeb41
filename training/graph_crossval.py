"""Grouped cross-validation of the graph-only model, and its ablations on the same folds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pymatgen.core import Structure

from ionscout.datasets.sources.base import Measurement
from ionscout.models.conductivity.graph_process import KernelConfig
from ionscout.training.fit_graph_process import fit_conductivity
from ionscout.training.folds import grouped_folds, publications
from ionscout.training.graph_rows import Kept, make_rows, near_room, with_templates
from ionscout.training.leaks import independent


@dataclass(frozen=True)
class GraphVariant:
    """One row of the ablation table."""

    name: str
    config: KernelConfig = field(default_factory=KernelConfig)
    templates: bool = True
    extra: bool = True
    rounded: bool = False


COMPOSITION = KernelConfig(composition_symmetry=0.0, symmetry_crystal=0.0)
VARIANTS = (
    GraphVariant("full"),
    GraphVariant("without template crystals", templates=False),
    GraphVariant("without rows of other tables", extra=False),
    GraphVariant("rounded occupancies", rounded=True),
    GraphVariant("composition and space group", KernelConfig(symmetry_crystal=0.0)),
    GraphVariant("composition alone", COMPOSITION),
    GraphVariant("composition alone, without rows of other tables", COMPOSITION, extra=False),
)


@dataclass(frozen=True)
class GraphOutOfFold:
    """log10 σ₂₉₈ of every row by a process that saw no row of its publication, its standard deviation, and how
    familiar the row was (see `ProcessOutput`); [n] each."""

    location: np.ndarray
    deviation: np.ndarray
    familiarity: np.ndarray


def cross_validate_graph(
    measurements: Sequence[Measurement],
    extra: Sequence[Measurement] = (),
    variant: GraphVariant = VARIANTS[0],
    folds: int = 5,
    seed: int = 0,
    on_fold: Callable[[], None] = lambda: None,
) -> GraphOutOfFold:
    """Predict each measurement out of fold; `extra` rows train only the folds that they say nothing about."""
    if variant.rounded:
        measurements, extra = rounded(measurements), rounded(extra)
    rows, others = make_rows(measurements), make_rows(near_room(extra) if variant.extra else [])
    kept: Kept = {}
    columns = np.full((3, len(rows)), np.nan)
    for train, test in grouped_folds(publications(measurements), folds, seed):
        held_out, training = rows.rows(test), rows.rows(train)
        free = {id(m) for m in independent(others.measurements, held_out.measurements)}
        training = training.joined(others.rows([i for i, m in enumerate(others.measurements) if id(m) in free]))
        if variant.templates:
            lenders = training.measurements
            training = with_templates(training, lenders, kept)
            held_out = with_templates(held_out, lenders, kept)
        process = fit_conductivity(training.inputs(), training.label, training.censored, variant.config)
        output = process.predict(held_out.inputs())
        columns[:, test] = output.location, output.deviation, output.familiarity
        on_fold()
    return GraphOutOfFold(*columns)


def rounded(measurements: Sequence[Measurement]) -> list[Measurement]:
    """The crystals as the published graph networks saw them, the compositions as they are."""
    return [m if m.structure is None else replace(m, structure=rounded_structure(m.structure)) for m in measurements]


def rounded_structure(structure: Structure) -> Structure | None:
    """Every site with its majority species, full or absent; None when nothing is left."""
    kept = [site for site in structure if site.species.num_atoms >= 0.5]
    if not kept:
        return None
    species = [max(site.species.items(), key=lambda item: item[1])[0] for site in kept]
    return Structure(structure.lattice, species, [site.frac_coords for site in kept])
