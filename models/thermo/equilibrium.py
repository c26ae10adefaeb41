"""Phase equilibrium of a composition, closed or open to elements at a given chemical potential."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.composition import formula_text
from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.hulls.base import Hull, Phase
from ionscout.models.thermo.linear_program import LinearProgram, Solution, rounded

KEPT_SYSTEMS = 64  # chemical systems kept in memory; an eight-element one with its models takes about 0.5 MB


class Product(NamedTuple):
    """A phase and how many of its formula units form."""

    formula: str
    amount: float


@dataclass(frozen=True)
class Decomposition:
    """The equilibrium of one composition.

    Attributes:
        composition: what was decomposed.
        energy: eV per atom of the closed elements: Σ xᵢEᵢ, minus μ·N of the open elements where there are any.
        products: phases with formula units per formula unit of the composition, most abundant (in atoms) first.
        chemical_potentials: eV/atom against the elements; for closed elements one valid choice of possibly several.
        uptake: atoms of each open element taken up per formula unit (negative: given off).
    """

    composition: Composition
    energy: float
    products: tuple[Product, ...]
    chemical_potentials: dict[str, float]
    uptake: dict[str, float]


def stated_unit(composition: Composition) -> Composition:
    """The formula unit that answers refer to: whole-number formulas reduced, fractional ones as they were written.

    The cell Li12P4S16 is Li3PS4; but nobody would recognise Li1.3Al0.3Ti1.7(PO4)3 divided by its three phosphorus.
    """
    if all(abs(amount - round(amount)) < 1e-6 for amount in composition.values()):
        return composition.get_reduced_composition_and_factor()[0]
    return composition


def stated_formula(composition: Composition) -> str:
    """Formula of that unit as text: like those of the products, or with at most four decimals."""
    unit = stated_unit(composition)
    whole = all(abs(amount - round(amount)) < 1e-6 for amount in unit.values())
    return unit.reduced_formula if whole else formula_text(unit)


class ChemicalSystem:
    """All phases of a set of elements on one hull, as linear programs.

    Args:
        open_elements: elements exchanged with a reservoir; phases of these alone are left out.

    Raises:
        UnsupportedElement, DataUnavailable: from the hull, for an element without data.
        InvalidInput: when no closed element is left.
    """

    def __init__(self, hull: Hull, elements: Iterable[str], open_elements: Iterable[str] = ()) -> None:
        self.hull = hull
        opened = set(open_elements)
        columns = hull.columns(set(elements) | opened)
        self.elements = columns.elements
        self.open = tuple(symbol for symbol in self.elements if symbol in opened)
        self.closed = tuple(symbol for symbol in self.elements if symbol not in opened)
        if not self.closed:
            raise InvalidInput(
                f"{' and '.join(self.open)} is the reservoir itself; name a compound with another element, "
                "or leave out the voltage (or chemical potential)."
            )
        is_open = np.array([symbol in opened for symbol in self.elements])
        kept = columns.fractions[~is_open].sum(axis=0) > 0
        self.ids = columns.ids[kept]
        self.energies = columns.energies[kept]
        self.closed_fractions = columns.fractions[np.ix_(~is_open, kept)]  # [n_closed, n_phases]
        self.open_fractions = columns.fractions[np.ix_(is_open, kept)]  # [n_open, n_phases]
        self._program = LinearProgram(self.closed_fractions, self.energies)
        self._potentials = np.zeros(len(self.open))
        self._lock = Lock()  # the solver keeps state between calls, and a service calls from several threads

    def amounts(self, composition: Composition) -> np.ndarray:
        """Atoms of the closed elements in one formula unit, [n_closed].

        Raises:
            InvalidInput: when there are none.
        """
        right = np.array([composition[symbol] for symbol in self.closed], dtype=float)
        if right.sum() <= 0:
            raise InvalidInput(
                f"{stated_formula(composition)} is the reservoir itself; name a compound with another element, "
                "or leave out the voltage (or chemical potential)."
            )
        return right

    def solve(self, right: np.ndarray, potentials: np.ndarray | None = None) -> Solution:
        """Equilibrium for amounts of the closed elements [n_closed], and chemical potentials [n_open] in eV.

        The amounts of the solution are atoms of each phase.
        """
        with self._lock:
            cost = None
            if potentials is not None and not np.array_equal(potentials, self._potentials):
                self._potentials = potentials.copy()
                cost = self.energies - potentials @ self.open_fractions
            return self._program.solve(right, cost)

    def phase(self, column: int) -> Phase:
        return self.hull.phase(int(self.ids[column]))

    def products(self, solution: Solution) -> tuple[Product, ...]:
        """Formula units of each phase, most abundant (in atoms) first; ties by formula."""
        found = []
        for column, atoms in zip(solution.columns, solution.amounts, strict=True):
            phase = self.phase(column)
            share = rounded(float(atoms) / float(solution.amounts.sum()))
            found.append((-share, phase.formula, rounded(float(atoms) / phase.composition.num_atoms)))
        return tuple(Product(formula, amount) for _, formula, amount in sorted(found))

    def uptake(self, solution: Solution, composition: Composition) -> np.ndarray:
        """Atoms of the open elements taken up per formula unit, [n_open]."""
        held = np.array([composition[symbol] for symbol in self.open], dtype=float)
        return self.open_fractions[:, solution.columns] @ solution.amounts - held


@lru_cache(maxsize=KEPT_SYSTEMS)
def _system(hull: Hull, elements: frozenset[str], open_elements: frozenset[str]) -> ChemicalSystem:
    return ChemicalSystem(hull, elements, open_elements)


def chemical_system(hull: Hull, *compositions: Composition, open_elements: Iterable[str] = ()) -> ChemicalSystem:
    """The chemical system that spans some compositions; the last few are kept in memory with their solver state."""
    elements = frozenset(element.symbol for composition in compositions for element in composition.elements)
    return _system(hull, elements, frozenset(open_elements))


def forget_systems() -> None:
    """Drop all chemical systems from memory, for measurements from a cold start."""
    _system.cache_clear()


def decompose(composition: Composition, hull: Hull, *, mu: dict[str, float] | None = None) -> Decomposition:
    """Equilibrium phases of a composition.

    Args:
        composition: one formula unit; amounts may be fractional.
        mu: chemical potentials (eV/atom against the element) of the elements that a reservoir holds fixed.

    Raises:
        UnsupportedElement, DataUnavailable: an element without data on this hull.
        InvalidInput: nothing is left beside the elements of the reservoir.
    """
    potentials = dict(mu or {})
    system = chemical_system(hull, composition, open_elements=potentials)
    right = system.amounts(composition)
    fixed = np.array([potentials[symbol] for symbol in system.open])
    solution = system.solve(right, fixed)
    return Decomposition(
        composition=composition,
        energy=solution.objective / float(right.sum()),
        products=system.products(solution),
        chemical_potentials=dict(zip(system.closed, solution.duals.tolist(), strict=True)) | potentials,
        uptake=dict(zip(system.open, system.uptake(solution, composition).tolist(), strict=True)),
    )


def hull_energy(composition: Composition, hull: Hull) -> float:
    """Energy of the equilibrium phases in eV/atom, elements at 0."""
    system = chemical_system(hull, composition)
    right = system.amounts(composition)
    return system.solve(right).objective / float(right.sum())


def energy_above_hull(composition: Composition, hull: Hull, energy: float | None = None) -> float | None:
    """How far a phase lies above its equilibrium products, in eV/atom (≥ 0 for a phase of the hull itself).

    Args:
        energy: formation energy of the phase in eV/atom on this hull's scale; by default the hull's own entry.

    Returns:
        None when the hull has no entry of this composition and none is given.
    """
    own = hull.energy_of(composition) if energy is None else energy
    if own is None:
        return None
    above = own - hull_energy(composition, hull)
    return max(above, 0.0) if energy is None else above
