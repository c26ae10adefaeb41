"""A space group as numbers in which related groups are near each other."""

import numpy as np
from pymatgen.symmetry.groups import sg_symbol_from_int_number

SYSTEM_ENDS = (2, 15, 74, 142, 167, 194, 230)  # last space group of the seven crystal systems
CENTRINGS = "PIFRABC"
SYMMETRY_SIZE = len(SYSTEM_ENDS) + len(CENTRINGS) + 1


def symmetry_features(space_group: int | None) -> np.ndarray:
    """Crystal system, centring and number / 230 of a space group, [15]; zeros where unknown."""
    features = np.zeros(SYMMETRY_SIZE)
    if space_group:
        features[np.searchsorted(SYSTEM_ENDS, space_group)] = 1
        features[len(SYSTEM_ENDS) + CENTRINGS.index(sg_symbol_from_int_number(space_group)[0])] = 1
        features[-1] = space_group / 230
    return features
