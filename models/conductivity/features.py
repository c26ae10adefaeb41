"""From checked materials to the numbers that the Gaussian process reads: one table a block, one row a material."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from pymatgen.core import Lattice

from ionscout.datasets.graph import composition_vector
from ionscout.datasets.structure import ConventionalCell, Material
from ionscout.models.conductivity.transport import NAMES as TRANSPORT_NAMES
from ionscout.models.conductivity.transport import transport_descriptors
from ionscout.models.energy import load_predictor

# Of the 35 transport descriptors those with a mechanism of their own; all 35 together predict no better (measured).
TRANSPORT = (
    "lithium_density",
    "mean_occupancy",
    "occupancy_entropy",
    "mean_hop",
    "percolation_3d",
    "bottleneck_3d",
    "lithium_coordination",
    "bond_valence_spread",
    "volume_per_anion",
    "cation_entropy",
)
_COLUMNS = [TRANSPORT_NAMES.index(name) for name in TRANSPORT]


@dataclass(frozen=True)
class Features:
    """Blocks of n materials; a row of NaN says that the block is not known for that material.

    Attributes:
        embedding [n, 768]: of the composition, from the network pre-trained on formation energies.
        fractions [n, 95]: atomic fractions by atomic number.
        cell [n, 6]: Å³ per atom, lithium per Å³, space group number, log of the sorted axes (Å).
        transport [n, 10]: descriptors of the lithium sub-lattice, see `TRANSPORT`; single NaNs are unknown entries.
    """

    embedding: np.ndarray
    fractions: np.ndarray
    cell: np.ndarray
    transport: np.ndarray

    def __len__(self) -> int:
        return len(self.fractions)

    def rows(self, index: Sequence[int] | np.ndarray) -> "Features":
        """The rows of an index, in its order."""
        return Features(*(getattr(self, f.name)[np.asarray(index, dtype=int)] for f in fields(self)))

    def joined(self, other: "Features") -> "Features":
        """These rows, then those of another table."""
        return Features(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))


def features_of(materials: Sequence[Material]) -> Features:
    """All blocks of checked materials, [n] rows."""
    return Features(
        load_predictor().embed([m.composition for m in materials]).astype(np.float64),
        np.stack([composition_vector(m.composition).numpy() for m in materials]).astype(np.float64),
        np.stack([_cell(m) for m in materials]),
        np.stack([_transport(m) for m in materials]),
    )


def cell_features(cell: ConventionalCell, lithium_fraction: float) -> np.ndarray:
    """Volume, lithium density, symmetry and axes, [6].

    The axes look crude, but tell phases of one composition apart that fractions cannot, and are always published.
    """
    volume = Lattice.from_parameters(*cell.lattice).volume / cell.atoms
    axes = np.log(np.sort(np.maximum(cell.lattice[:3], 1.0)))
    return np.array([volume, lithium_fraction / volume, cell.space_group, *axes])


def _cell(material: Material) -> np.ndarray:
    if material.cell is None:
        return np.full(6, np.nan)
    return cell_features(material.cell, float(composition_vector(material.composition)[3]))


def _transport(material: Material) -> np.ndarray:
    if material.structure is None or "template" in material.structure.properties:
        return np.full(len(TRANSPORT), np.nan)  # borrowed positions made predictions worse (measured), cells better
    return transport_descriptors(material.structure).vector()[_COLUMNS]
