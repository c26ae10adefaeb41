"""From checked materials to the numbers that the Gaussian process reads: one table a block, one row a material."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Lattice

from ionscout.datasets.graph import CrystalData, composition_vector
from ionscout.datasets.structure import ConventionalCell, Material
from ionscout.models.conductivity.site_environments import SIZE, site_environments
from ionscout.models.conductivity.symmetry import SYMMETRY_SIZE, symmetry_features
from ionscout.models.conductivity.transport import NAMES as TRANSPORT_NAMES
from ionscout.models.conductivity.transport import transport_descriptors


@dataclass(frozen=True)
class Features:
    """Blocks of n materials by name, [n, width] each; a row of NaN says that a block is not known for that material."""

    blocks: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.blocks.values())))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.blocks[name]

    def rows(self, index: Sequence[int] | np.ndarray) -> "Features":
        """The rows of an index, in its order."""
        return Features({name: values[np.asarray(index, dtype=int)] for name, values in self.blocks.items()})

    def joined(self, other: "Features") -> "Features":
        """These rows, then those of another table with the same blocks."""
        return Features({name: np.concatenate([values, other[name]]) for name, values in self.blocks.items()})

    def with_block(self, name: str, values: np.ndarray) -> "Features":
        """The same table with one block put in or replaced."""
        return Features({**self.blocks, name: values})


def features_of(
    materials: Sequence[Material], graphs: Sequence[CrystalData], blocks: Sequence[str] | None = None
) -> Features:
    """The named blocks of checked materials and their graphs (`inputs.graphs_of`); None: those that the model reads."""
    wanted = READ if blocks is None else blocks
    return Features({name: BLOCKS[name](materials, graphs) for name in wanted})


def embeddings(materials: Sequence[Material], graphs: Sequence[CrystalData]) -> np.ndarray:
    """Embeddings of the compositions from the network pre-trained on 85,000 formation energies, [n, 768]."""
    return np.concatenate([graph.formula_embedding.numpy() for graph in graphs]).astype(np.float64)


def fractions(materials: Sequence[Material], graphs: Sequence[CrystalData]) -> np.ndarray:
    """Atomic fractions by atomic number, [n, 95]."""
    return np.stack([composition_vector(m.composition).numpy() for m in materials]).astype(np.float64)


def cells(materials: Sequence[Material], graphs: Sequence[CrystalData]) -> np.ndarray:
    """Å³ per atom, lithium per Å³, space group number and log of the sorted axes (Å), [n, 6].

    The axes look crude, but tell phases of one composition apart that fractions cannot, and are always published.
    """
    return np.stack([np.full(6, np.nan) if m.cell is None else _cell(m, m.cell) for m in materials])


def environments(materials: Sequence[Material], graphs: Sequence[CrystalData]) -> np.ndarray:
    """Symmetry and what lithium sees around it, [n, 125]."""
    rows = np.full((len(materials), SYMMETRY_SIZE + SIZE), np.nan)
    known = [i for i, m in enumerate(materials) if m.cell is not None and float(graphs[i].has_structure[0]) > 0]
    if known:
        groups = [symmetry_features(cell.space_group) for i in known if (cell := materials[i].cell)]
        rows[known] = np.hstack([np.stack(groups), site_environments([graphs[i] for i in known])])
    return rows


def transport(materials: Sequence[Material], graphs: Sequence[CrystalData]) -> np.ndarray:
    """Descriptors of the lithium sub-lattice (`transport.NAMES`), [n, 35]; single NaNs are unknown entries."""
    rows = np.full((len(materials), len(TRANSPORT_NAMES)), np.nan)
    for row, material in zip(rows, materials, strict=True):
        if material.structure is not None:
            row[:] = transport_descriptors(material.structure).vector()
    return rows


# `transport` is computed on request only: beside the environments it gains nothing (benchmarks/conductivity.md).
BLOCKS: dict[str, Callable[[Sequence[Material], Sequence[CrystalData]], np.ndarray]] = {
    "embedding": embeddings,
    "fractions": fractions,
    "cell": cells,
    "environment": environments,
    "transport": transport,
}
READ = ("embedding", "fractions", "cell", "environment")


def _cell(material: Material, cell: ConventionalCell) -> np.ndarray:
    volume = Lattice.from_parameters(*cell.lattice).volume / cell.atoms
    lithium = float(composition_vector(material.composition)[3])
    axes = np.log(np.sort(np.maximum(cell.lattice[:3], 1.0)))
    return np.array([volume, lithium / volume, cell.space_group, *axes])
