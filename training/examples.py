"""Measurements turned into what is fitted: materials, graphs, features and labels, made once and sliced by row."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ionscout.datasets.graph import CrystalData
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.structure import Material
from ionscout.models.conductivity.features import Features, features_of
from ionscout.models.conductivity.inputs import graphs_of
from ionscout.training.folds import publications
from ionscout.training.labels import activation_energies, room_labels


@dataclass(frozen=True)
class Examples:
    """n rows. `log_conductivity` is log10 σ at the row's own `temperature` (K), the bound where `censored`, NaN where
    only `energy` (Ea, eV; NaN where unknown) was reported. `bulk` says that the grains' conductivity was."""

    measurements: list[Measurement]
    materials: list[Material]
    graphs: list[CrystalData]
    features: Features
    log_conductivity: np.ndarray
    temperature: np.ndarray
    censored: np.ndarray
    energy: np.ndarray
    bulk: np.ndarray

    def __len__(self) -> int:
        return len(self.materials)

    @property
    def label(self) -> np.ndarray:
        """log10 σ at 298.15 K [n]: NaN for rows measured far from it whose paper gives no activation energy."""
        return room_labels(self.log_conductivity, self.temperature, self.energy)

    @property
    def groups(self) -> np.ndarray:
        """Number of each row's publication [n]."""
        return publications(self.measurements)

    def rows(self, index: Sequence[int] | np.ndarray) -> "Examples":
        """The rows of an index, in its order."""
        picked = [int(i) for i in index]
        return Examples(
            [self.measurements[i] for i in picked],
            [self.materials[i] for i in picked],
            [self.graphs[i] for i in picked],
            self.features.rows(picked),
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
            self.features.joined(other.features),
            *arrays,
        )

    def labelled(self) -> "Examples":
        """The rows with a label at 298.15 K: what the networks learn from."""
        return self.rows(np.flatnonzero(np.isfinite(self.label)))

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return tuple(getattr(self, f.name) for f in fields(self) if f.name not in _OBJECTS)


_OBJECTS = ("measurements", "materials", "graphs", "features")


def make_examples(measurements: Sequence[Measurement], cutoff: float) -> Examples:
    """Prepare measurements for fitting."""
    materials = [m.material() for m in measurements]
    graphs = graphs_of(materials, cutoff)
    return Examples(
        list(measurements),
        materials,
        graphs,
        features_of(materials, graphs),
        np.array([m.log10_conductivity for m in measurements]),
        np.array([m.temperature_K for m in measurements]),
        np.array([m.censored for m in measurements]),
        activation_energies(measurements),
        np.array([m.kind == "bulk" for m in measurements]),
    )


def seen_as(examples: Examples, materials: Sequence[Material], cutoff: float) -> Examples:
    """The same measurements with other knowledge of each material: a formula alone, or a borrowed cell."""
    graphs = graphs_of(materials, cutoff)
    return replace(examples, materials=list(materials), graphs=graphs, features=features_of(materials, graphs))


def formula_only(materials: Sequence[Material]) -> list[Material]:
    """Structure and cell forgotten: what a user who has only a formula would ask."""
    return [replace(m, structure=None, cell=None) for m in materials]
