"""The practical window: the thermodynamic one, widened by decomposition products that passivate."""

from pymatgen.core import Composition

from ionscout.datasets.hulls.base import Hull
from ionscout.models.thermo.electronic import electronic_character
from ionscout.models.thermo.window import Window, practical_limits, window


def practical_window(composition: Composition, hull: Hull, *, energy: float | None = None) -> Window:
    """`window`, with the practical limits and their reasons filled in.

    Kinetics beyond passivation (overpotentials, slow nucleation) are not in it: measured windows can be wider still.

    Args:
        energy: as for `window`.

    Raises:
        As `window`.
    """
    found = window(composition, hull, energy=energy)
    return practical_limits(found, lambda formula: electronic_character(formula, hull).blocks)
