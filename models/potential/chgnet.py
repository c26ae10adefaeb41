"""CHGNet behind the `Potential` protocol (Deng et al., Nat. Mach. Intell. 5, 1031 (2023); its wheel has the weights).

Energies are on the scale of the Materials Project's 2020 corrections, which no hull here uses: only differences
between structures of one reaction leave this module (see `training.anchoring`).
"""

import contextlib
import sys
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
from pymatgen.core import Structure

from ionscout.datasets.errors import InvalidInput
from ionscout.models.potential.base import RelaxedStructure


class CHGNetPotential:
    """The pre-trained CHGNet on the CPU; the network is loaded on first use."""

    name = "CHGNet"

    def __init__(self) -> None:
        self.version = version("chgnet")

    def energy(self, structure: Structure) -> float:
        """Potential energy, eV/atom.

        Raises:
            InvalidInput: the structure has partial occupancy, which a potential of point atoms cannot take.
        """
        _need_order(structure)
        return float(self._model.predict_structure(structure, task="e")["e"])

    def relax(self, structure: Structure, *, force: float = 0.05, steps: int = 300) -> RelaxedStructure:
        """Relax cell and positions with FIRE; raises as `energy` does."""
        _need_order(structure)
        result = self._optimizer.relax(structure, fmax=force, steps=steps, verbose=False, assign_magmoms=False)
        trajectory = result["trajectory"]
        left = float(np.linalg.norm(trajectory.forces[-1], axis=1).max())
        final: Structure = result["final_structure"]
        final.remove_site_property("magmom") if "magmom" in final.site_properties else None
        return RelaxedStructure(
            structure=final,
            energy=float(trajectory.energies[-1]) / len(structure),
            largest_force=left,
            steps=len(trajectory.energies) - 1,
            converged=left <= force,
        )

    def site_features(self, structure: Structure) -> np.ndarray:
        """What the network makes of every site of an ordered structure, [sites, 64]; raises as `energy` does."""
        _need_order(structure)
        return np.asarray(self._model.predict_structure(structure, task="e", return_atom_feas=True)["atom_fea"])

    @cached_property
    def _model(self) -> Any:
        from chgnet.model import CHGNet  # loads torch modules and weights: half a second that most commands never need

        with contextlib.redirect_stdout(sys.stderr):  # it greets, and stdout is for answers
            return CHGNet.load(use_device="cpu", verbose=False)

    @cached_property
    def _optimizer(self) -> Any:
        from chgnet.model import StructOptimizer

        return StructOptimizer(model=self._model, use_device="cpu")


def _need_order(structure: Structure) -> None:
    if not structure.is_ordered:
        raise InvalidInput(
            f"{structure.composition.reduced_formula} has partially occupied sites; an interatomic potential needs an "
            "ordered structure, so choose one first."
        )
