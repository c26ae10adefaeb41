"""What an interatomic potential has to do here: the small protocol that any calculator can stand in for."""

from dataclasses import dataclass
from typing import Protocol

from pymatgen.core import Structure


@dataclass(frozen=True)
class RelaxedStructure:
    """The end of a relaxation.

    Attributes:
        structure: relaxed cell and positions.
        energy: potential energy, eV/atom, on the potential's own scale.
        largest_force: eV/Å, what is left.
        steps: optimiser steps taken.
        converged: whether the force threshold was reached.
    """

    structure: Structure
    energy: float
    largest_force: float
    steps: int
    converged: bool


class Potential(Protocol):
    """An interatomic potential. Energies of two potentials, or of one and DFT, must never meet on one hull."""

    name: str
    version: str

    def energy(self, structure: Structure) -> float:
        """Potential energy of an ordered structure as it stands, eV/atom."""
        ...

    def relax(self, structure: Structure, *, force: float = 0.05, steps: int = 300) -> RelaxedStructure:
        """Relax cell and positions until no force exceeds `force` eV/Å, or for `steps` steps."""
        ...
