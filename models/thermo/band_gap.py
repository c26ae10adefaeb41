"""Band gaps of phases on the PBE scale: the hull's own, the Materials Project's, or predicted by the energy GNN."""

from collections.abc import Sequence

from pymatgen.core import Composition

from ionscout.datasets.band_gaps import PBE, BandGap, materials_project_gap
from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.hulls.base import Hull


def band_gap(composition: Composition, hull: Hull | None = None) -> BandGap | None:
    """PBE gap of one phase; see `band_gaps`."""
    return band_gaps([composition], hull)[0]


def band_gaps(compositions: Sequence[Composition], hull: Hull | None = None) -> list[BandGap | None]:
    """PBE gaps of some phases, [n], each with its source.

    Taken from the first that knows the phase: the hull, the Materials Project's table (where the data folder is
    present), the energy GNN. None only for elements that none of them has seen.
    """
    found = [_of_hull(composition, hull) or materials_project_gap(composition) for composition in compositions]
    missing = [number for number, gap in enumerate(found) if gap is None]
    if missing:
        from ionscout.models.energy.predictor import load_predictor  # loads torch: only where it is needed

        predictor = load_predictor()
        known = [n for n in missing if {el.symbol for el in compositions[n].elements} <= predictor.elements]
        if known:
            values = predictor.predict([compositions[n] for n in known]).band_gap
            for number, value in zip(known, values, strict=True):
                found[number] = BandGap(float(value), PBE, f"predicted by {predictor.version}")
    return found


def _of_hull(composition: Composition, hull: Hull | None) -> BandGap | None:
    if hull is None:
        return None
    try:
        phases = hull.phases({element.symbol for element in composition.elements})
    except IonscoutError:
        return None  # a phase of another hull
    formula = composition.reduced_formula
    phase = next((phase for phase in phases if phase.formula == formula), None)
    if phase is None or phase.band_gap is None:
        return None
    how = "predicted" if phase.provenance == "predicted" else "given"
    return BandGap(phase.band_gap, PBE, f"hull {hull.name}, {how}")
