"""Measurements turned into what is fitted: materials, graphs, features and labels, made once and sliced by row."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ionscout.datasets.graph import CrystalData
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.structure import Material
from ionscout.models import arrhenius
from ionscout.models.conductivity.inputs import composition_features, crystal_features, graph_of


@dataclass(frozen=True)
class Examples:
    """n rows. `label` is log10 σ at 298.15 K (the bound where `censored`); `energy` is Ea in eV or NaN.

    `crystal_features` [n, 104] holds NaN where the cell is unknown.
    """

    measurements: list[Measurement]
    materials: list[Material]
    graphs: list[CrystalData]
    crystal_features: np.ndarray
    composition_features: np.ndarray
    label: np.ndarray
    censored: np.ndarray
    energy: np.ndarray

    def __len__(self) -> int:
        return len(self.materials)

    def rows(self, index: Sequence[int] | np.ndarray) -> "Examples":
        """The rows of an index, in its order."""
        picked = [int(i) for i in index]
        return Examples(
            [self.measurements[i] for i in picked],
            [self.materials[i] for i in picked],
            [self.graphs[i] for i in picked],
            *(array[picked] for array in self._arrays()),
        )

    def joined(self, other: "Examples | None") -> "Examples":
        """These rows and, where there are any, those of another set."""
        if other is None or not len(other):
            return self
        arrays = (np.concatenate(pair) for pair in zip(self._arrays(), other._arrays(), strict=True))
        return Examples(
            self.measurements + other.measurements,
            self.materials + other.materials,
            self.graphs + other.graphs,
            *arrays,
        )

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.crystal_features, self.composition_features, self.label, self.censored, self.energy


USUAL_ENERGY = 0.35  # eV, moves labels measured a few kelvin off room temperature when the paper gives no Ea


def make_examples(measurements: Sequence[Measurement], cutoff: float) -> Examples:
    """Prepare measurements near room temperature for fitting."""
    materials = [m.material() for m in measurements]
    graphs = [graph_of(m.composition, m.structure, cutoff) for m in materials]
    features = [np.full(104, np.nan) if m.cell is None else crystal_features(m.composition, m.cell) for m in materials]
    energy = np.array([np.nan if m.activation_energy_eV is None else m.activation_energy_eV for m in measurements])
    return Examples(
        list(measurements),
        materials,
        graphs,
        np.stack(features),
        np.stack([composition_features(m.composition) for m in materials]),
        np.array([_at_room_temperature(m) for m in measurements]),
        np.array([m.censored for m in measurements]),
        energy,
    )


def formula_only(examples: Examples, cutoff: float) -> Examples:
    """The same rows with structure and cell forgotten: what a user who has only a formula would ask."""
    materials = [replace(m, structure=None, cell=None) for m in examples.materials]
    graphs = [graph_of(m.composition, None, cutoff) for m in materials]
    return replace(
        examples, materials=materials, graphs=graphs, crystal_features=np.full_like(examples.crystal_features, np.nan)
    )


def _at_room_temperature(m: Measurement) -> float:
    energy = USUAL_ENERGY if m.activation_energy_eV is None else m.activation_energy_eV
    back = arrhenius.at_temperature(0.0, energy, m.temperature_K)
    return m.log10_conductivity - back
