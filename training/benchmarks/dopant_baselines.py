"""What SMACT and pymatgen say about the dopants of a host: the baselines of the dopant benchmark.

Each gives a score and a site for every element it lists; an element that it does not list has none. All are asked for
their whole list, not for the first few. None predicts a conductivity: their score is how likely an ion substitutes.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

from pymatgen.core import Lattice, Species, Structure

from ionscout.datasets.errors import DataUnavailable
from ionscout.training.active.host import Host

EVERYTHING = 2_000  # more dopants than any of them can list


@dataclass(frozen=True)
class Suggestion:
    """Score (higher is better) and host element that one tool gives a dopant."""

    score: float
    site: str


Baseline = Callable[[Host], dict[str, Suggestion]]


def smact_doper(host: Host) -> dict[str, Suggestion]:
    """SMACT's `Doper`: data-mined substitution probabilities, joined with selectivity (its default ranking).

    Raises:
        DataUnavailable: SMACT is not installed.
    """
    try:
        from smact.dopant_prediction.doper import Doper
    except ImportError:
        raise DataUnavailable("SMACT is not installed; pip install SMACT to compare with its Doper.") from None
    species = tuple(_smact_name(s, q) for s, q in host.states.items())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = Doper(species).get_dopants(num_dopants=EVERYTHING, group_by_charge=False)
    rows = [row for kind in found.values() for row in kind["sorted"]]
    return _best((_element(row[0]), _element(row[1]), float(row[5])) for row in rows)


def pymatgen_probabilities(host: Host) -> dict[str, Suggestion]:
    """pymatgen's substitution probabilities (Hautier et al., Inorg. Chem. 50, 656 (2011)) without threshold."""
    from pymatgen.analysis.structure_prediction.dopant_predictor import get_dopants_from_substitution_probabilities

    # Only the set of species counts there, so one site of each stands for the crystal.
    structure = Structure(Lattice.cubic(10), _species(host), [[0.1 * i] * 3 for i in range(len(host.states))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_dopants_from_substitution_probabilities(structure, EVERYTHING, threshold=0.0, match_oxi_sign=True)
    rows = [row for kind in found.values() for row in kind]
    return _best(
        (row["dopant_species"].symbol, row["original_species"].symbol, float(row["probability"])) for row in rows
    )


def pymatgen_radii(host: Host) -> dict[str, Suggestion]:
    """pymatgen's comparison of Shannon radii at the coordination numbers of the host's sites."""
    from pymatgen.analysis.structure_prediction.dopant_predictor import get_dopants_from_shannon_radii

    sites = [
        (Species(s.ion.symbol, round(s.ion.charge)), max(round(orbit.environment.coordination), 1))
        for s in host.sublattices
        for orbit in s.orbits
    ]
    crystal = _Bonded(
        [SimpleNamespace(specie=specie) for specie, _ in sites], [coordination for _, coordination in sites]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = get_dopants_from_shannon_radii(crystal, EVERYTHING, match_oxi_sign=True)
    rows = [row for kind in found.values() for row in kind]
    return _best(
        (row["dopant_species"].symbol, row["original_species"].symbol, -abs(float(row["radii_diff"]))) for row in rows
    )


BASELINES: dict[str, Baseline] = {
    "smact_doper": smact_doper,
    "pymatgen_probabilities": pymatgen_probabilities,
    "pymatgen_shannon_radii": pymatgen_radii,
}


@dataclass(frozen=True)
class _Bonded:
    """The three things of a pymatgen `StructureGraph` that the predictor reads; a disordered crystal has no graph."""

    structure: list[SimpleNamespace]
    coordination: list[int]

    def __len__(self) -> int:
        return len(self.structure)

    def get_coordination_of_site(self, number: int) -> int:
        return self.coordination[number]


def _best(rows) -> dict[str, Suggestion]:
    found: dict[str, Suggestion] = {}
    for dopant, site, score in rows:
        if dopant not in found or score > found[dopant].score:
            found[dopant] = Suggestion(score, site)
    return found


def _species(host: Host) -> list[Species]:
    return [Species(symbol, round(charge)) for symbol, charge in host.states.items()]


def _smact_name(symbol: str, charge: float) -> str:
    return f"{symbol}{abs(round(charge))}{'+' if charge > 0 else '-'}"


def _element(name: str) -> str:
    return "".join(c for c in name if c.isalpha())
