"""Tabulated properties of the elements: what a network knows of an element that it has rarely seen."""

import warnings
from functools import lru_cache

import numpy as np
from pymatgen.core import Element

from ionscout.datasets.composition import HEAVIEST

PROPERTIES = (
    "row", "group", "electronegativity", "mendeleev_number", "atomic_mass", "atomic_radius", "ionic_radius",
    "largest_oxidation_state", "smallest_oxidation_state", "ionization_energy", "electron_affinity",
    "melting_point", "molar_volume", "s_electrons", "p_electrons", "d_electrons", "f_electrons",
)  # fmt: skip


@lru_cache
def element_table() -> np.ndarray:
    """Standardised properties by atomic number, [95, 17]; unknown values are the mean (0), row 0 is unused.

    Source: the element data of pymatgen.
    """
    raw = np.full((HEAVIEST + 1, len(PROPERTIES)), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # noble gases have no electronegativity; that is what the mean is for
        for z in range(1, HEAVIEST + 1):
            raw[z] = [np.nan if value is None else float(value) for value in _properties(Element.from_Z(z))]
    mean, deviation = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    return np.nan_to_num((raw - mean) / deviation)


def _properties(el: Element) -> list[float | None]:
    shells = {"s": 0, "p": 0, "d": 0, "f": 0}
    for n, orbital, count in el.full_electronic_structure:
        outer = n == el.row if orbital in "sp" else n >= el.row - (1 if orbital == "d" else 2)
        shells[orbital] += count if outer else 0
    data = el.data
    ionic = [float(r) for r in (data.get("Ionic radii") or {}).values()]
    states = el.common_oxidation_states or el.oxidation_states or (0,)
    return [
        el.row, el.group, el.X, el.mendeleev_no, el.atomic_mass, _number(data.get("Atomic radius")),
        float(np.mean(ionic)) if ionic else None, max(states), min(states), el.ionization_energy,
        el.electron_affinity, _number(data.get("Melting point")), _number(data.get("Molar volume")),
        shells["s"], shells["p"], shells["d"], shells["f"],
    ]  # fmt: skip


def _number(value) -> float | None:
    """pymatgen keeps some values as text with a unit or a note; only the leading number counts."""
    try:
        return float(str(value).split()[0])
    except (ValueError, IndexError):
        return None
