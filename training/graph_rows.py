"""What the graph-only model is fitted to: measurements near room temperature with graphs, completed by templates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.graph import CUTOFF, CrystalData
from ionscout.datasets.sources.base import ROOM_TEMPERATURE, Measurement
from ionscout.datasets.templates import Template, templates_of
from ionscout.models.conductivity.graph_process import ProcessInputs, process_inputs
from ionscout.models.conductivity.inputs import graph_of
from ionscout.training.borrowing import borrowed
from ionscout.training.labels import activation_energies, at_room_temperature

NEAR_ROOM = 15.0  # K; rows measured further away, moved to 298 K by Ea, were measured to add nothing

Kept = dict[tuple[int, str], CrystalData]  # graphs made from templates, by row and template


@dataclass(frozen=True)
class GraphRows:
    """n rows; `label` [n] is log10 σ at 298.15 K, the bound where `censored` [n]."""

    measurements: list[Measurement]
    compositions: list[Composition]
    graphs: list[CrystalData]
    space_groups: list[int | None]
    label: np.ndarray
    censored: np.ndarray

    def __len__(self) -> int:
        return len(self.measurements)

    def rows(self, index: Sequence[int] | np.ndarray) -> "GraphRows":
        """The rows of an index, in its order."""
        picked = [int(i) for i in index]
        return GraphRows(
            [self.measurements[i] for i in picked],
            [self.compositions[i] for i in picked],
            [self.graphs[i] for i in picked],
            [self.space_groups[i] for i in picked],
            self.label[picked],
            self.censored[picked],
        )

    def joined(self, other: "GraphRows") -> "GraphRows":
        """These rows, then those of another set."""
        return GraphRows(
            self.measurements + other.measurements,
            self.compositions + other.compositions,
            self.graphs + other.graphs,
            self.space_groups + other.space_groups,
            np.concatenate([self.label, other.label]),
            np.concatenate([self.censored, other.censored]),
        )

    def inputs(self) -> ProcessInputs:
        """What the process compares."""
        return process_inputs(self.compositions, self.graphs, self.space_groups)


def near_room(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Conductivities within 15 K of room temperature."""
    return [
        m
        for m in measurements
        if abs(m.temperature_K - ROOM_TEMPERATURE) < NEAR_ROOM and np.isfinite(m.log10_conductivity)
    ]


def make_rows(measurements: Sequence[Measurement]) -> GraphRows:
    """Prepare conductivities; the space group is that of the structure or cell, else the published one."""
    materials = [m.material() for m in measurements]
    log_conductivity = np.array([m.log10_conductivity for m in measurements])
    temperature = np.array([m.temperature_K for m in measurements])
    return GraphRows(
        list(measurements),
        [material.composition for material in materials],
        [graph_of(material.composition, material.structure, CUTOFF) for material in materials],
        [a.cell.space_group if a.cell else m.space_group for a, m in zip(materials, measurements, strict=True)],
        at_room_temperature(log_conductivity, temperature, activation_energies(measurements)),
        np.array([m.censored for m in measurements], dtype=bool),
    )


def with_templates(rows: GraphRows, lenders: Sequence[Measurement], kept: Kept | None = None) -> GraphRows:
    """The same rows, with the graph of a template where only the cell was known and one of `lenders` fits.

    `lenders` must be training rows, also when `rows` are held out; neither family nor label of a row is used. Bare
    formulas are not completed: space group and cell are what make a template the right one; without them it was
    measured to cost 3 % where with them it gains 6 %.
    `kept` remembers graphs between calls.
    """
    candidates = templates_of(lenders)
    kept = {} if kept is None else kept
    graphs = [_with_template(m, g, candidates, kept) for m, g in zip(rows.measurements, rows.graphs, strict=True)]
    return replace(rows, graphs=graphs)


def _with_template(m: Measurement, graph: CrystalData, candidates: Sequence[Template], kept: Kept) -> CrystalData:
    if float(graph.has_structure[0]) > 0 or m.cell is None:
        return graph
    found = borrowed(m.composition, m.cell, candidates)
    if found is None:
        return graph
    key = (id(m), found.template)
    if key not in kept:
        kept[key] = graph_of(m.composition, found.structure, CUTOFF)
    return kept[key]
