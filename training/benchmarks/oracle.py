"""pymatgen as the oracle of the thermodynamics: the same questions, asked to its phase diagrams."""

from collections.abc import Iterable
from dataclasses import dataclass

from pymatgen.analysis.interface_reactions import GrandPotentialInterfacialReactivity, InterfacialReactivity
from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element

from ionscout.datasets.hulls.base import Hull

LITHIUM = Element("Li")


@dataclass(frozen=True)
class OracleInterface:
    """Kinks as (mixing ratio of the first reactant, energy in eV/atom), in any order."""

    kinks: tuple[tuple[float, float], ...]

    @property
    def worst(self) -> float:
        return min(energy for _, energy in self.kinks)


def phase_diagram(hull: Hull, elements: Iterable[str]) -> PhaseDiagram:
    """pymatgen's phase diagram of all phases of a chemical system on a hull."""
    return PhaseDiagram([PDEntry(p.composition, p.energy * p.composition.num_atoms) for p in hull.phases(elements)])


def oracle_window(diagram: PhaseDiagram, composition: Composition) -> tuple[float, float | None]:
    """(reduction limit, oxidation limit) in V from `get_element_profile`.

    The reduction limit is the voltage of the row with zero evolution, the oxidation limit that of the next row. Without
    such a row the composition lies inside an equilibrium that exchanges lithium: both are the voltage of the first row
    that has lost some.
    """
    rows = diagram.get_element_profile(LITHIUM, composition)
    voltages = [-float(row["chempot"]) for row in rows]
    for number, row in enumerate(rows):
        if abs(row["evolution"]) < 1e-6 * composition.num_atoms:
            return voltages[number], voltages[number + 1] if number + 1 < len(rows) else None
        if row["evolution"] < 0:
            return voltages[number], voltages[number]
    raise ValueError(f"{composition.formula}: no row without lithium uptake")


def oracle_interface(diagram: PhaseDiagram, a: Composition, b: Composition) -> OracleInterface:
    """Closed interface from `InterfacialReactivity` with hull energies of both reactants."""
    reactivity = InterfacialReactivity(a, b, diagram, norm=True, use_hull_energy=True)
    return OracleInterface(tuple((float(x), float(energy)) for _, x, energy, _, _ in reactivity.get_kinks()))


def oracle_open_interface(
    diagram: PhaseDiagram,
    grand: GrandPotentialPhaseDiagram,
    a: Composition,
    b: Composition,
    *,
    total: bool = False,
) -> OracleInterface:
    """Interface open to lithium from `GrandPotentialInterfacialReactivity` with hull energies.

    Args:
        total: include what each reactant does alone at this voltage (`include_no_mixing_energy`).
    """
    reactivity = GrandPotentialInterfacialReactivity(
        a, b, grand, diagram, include_no_mixing_energy=total, norm=True, use_hull_energy=True
    )
    return OracleInterface(tuple((float(x), float(energy)) for _, x, energy, _, _ in reactivity.get_kinks()))


def grand_diagram(diagram: PhaseDiagram, voltage: float) -> GrandPotentialPhaseDiagram:
    """The same phases open to lithium at a voltage against lithium metal."""
    return GrandPotentialPhaseDiagram(
        diagram.all_entries, {LITHIUM: diagram.el_refs[LITHIUM].energy_per_atom - voltage}
    )
