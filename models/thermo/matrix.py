"""Many electrolytes against many partners: a table of interfaces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.hulls.base import Hull
from ionscout.models.thermo.equilibrium import stated_formula
from ionscout.models.thermo.interface import Interface, interface

KEPT_INTERFACES = 4096  # pairs kept in memory; one takes about 10 kB
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Cell:
    """One pair: its interface, or the sentence that says why there is none."""

    interface: Interface | None
    error: str | None = None


@dataclass(frozen=True)
class InterfaceMatrix:
    """Interfaces of every row with every column on one hull.

    Attributes:
        rows, columns: formulas.
        cells: [n_rows][n_columns].
        voltage: V vs Li/Li⁺, None for closed systems.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    hull: str
    hull_version: str
    correction: str
    voltage: float | None

    @property
    def reaction_energies(self) -> np.ndarray:
        """Worst reaction energies in eV/atom, [n_rows, n_columns]; NaN where a cell has an error."""
        return np.array(
            [
                [np.nan if cell.interface is None else cell.interface.reaction_energy for cell in row]
                for row in self.cells
            ]
        )


Amounts = tuple[tuple[str, float], ...]


def _amounts(composition: Composition) -> Amounts:
    # A key of its own: pymatgen's hash of a composition knows its elements only.
    return tuple(sorted((element.symbol, amount) for element, amount in composition.items()))


@lru_cache(maxsize=KEPT_INTERFACES)
def _interface(a: Amounts, b: Amounts, hull: Hull, voltage: float | None) -> Interface:
    return interface(Composition(dict(a)), Composition(dict(b)), hull, voltage=voltage)


def forget_interfaces() -> None:
    """Drop the pairs kept in memory, for measurements from a cold start."""
    _interface.cache_clear()


def interface_matrix(
    rows: Sequence[Composition],
    columns: Sequence[Composition],
    hull: Hull,
    *,
    voltage: float | None = None,
    progress: Progress | None = None,
) -> InterfaceMatrix:
    """Interfaces of all pairs; those asked before come from memory.

    A pair that the hull cannot answer keeps its error and does not stop the others.

    Args:
        rows, columns: compositions; rows are the electrolytes in the per-electrolyte normalisation.
        voltage: V vs Li/Li⁺ of a lithium reservoir.
        progress: called with (done, all) after every pair.
    """
    # Pairs of one chemical system follow each other, so that its linear program stays warm while it is needed.
    order = sorted(
        ((i, j) for i in range(len(rows)) for j in range(len(columns))),
        key=lambda pair: tuple(sorted({el.symbol for el in (*rows[pair[0]].elements, *columns[pair[1]].elements)})),
    )
    found: dict[tuple[int, int], Cell] = {}
    for done, (i, j) in enumerate(order, start=1):
        try:
            found[i, j] = Cell(_interface(_amounts(rows[i]), _amounts(columns[j]), hull, voltage))
        except IonscoutError as error:
            found[i, j] = Cell(None, str(error))
        if progress is not None:
            progress(done, len(order))
    return InterfaceMatrix(
        rows=tuple(stated_formula(row) for row in rows),
        columns=tuple(stated_formula(column) for column in columns),
        cells=tuple(tuple(found[i, j] for j in range(len(columns))) for i in range(len(rows))),
        hull=hull.name,
        hull_version=hull.version,
        correction=hull.correction,
        voltage=voltage,
    )
