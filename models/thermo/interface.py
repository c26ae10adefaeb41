"""What two solids do to each other: the reactions along their mixing line, closed or at a voltage."""

from dataclasses import dataclass

import numpy as np
from pymatgen.core import Composition, Element

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import NoLithium
from ionscout.datasets.hulls.base import Hull
from ionscout.models.thermo.breakpoints import Tangent, segments
from ionscout.models.thermo.equilibrium import (
    ChemicalSystem,
    Product,
    chemical_system,
    hull_energy,
    stated_formula,
    stated_unit,
)
from ionscout.models.thermo.linear_program import Solution, rounded
from ionscout.models.thermo.window import LITHIUM, check_voltage

NO_REACTION = 1e-6  # eV/atom; weaker reactions are rounding, and far below the error of any hull
EXCHANGED = 1e-6  # atoms of lithium per formula unit of reactants; less is rounding


@dataclass(frozen=True)
class Kink:
    """One point of the mixing line at which the products change.

    Attributes:
        mixing_ratio: share of the atoms that come from the first reactant, 0 … 1 (at a voltage lithium included).
        energy: eV per atom of both reactants (at a voltage: per atom other than lithium), against both reactants in
            their own equilibrium under the same conditions; ≤ 0.
        total_energy: at a voltage, against both reactants as they are, so that what each does alone at this voltage is
            included; the same as `energy` in a closed system.
        products: formula units per formula unit of reactants (the reactants' amounts add up to 1).
        reaction: the balanced reaction as text.
    """

    mixing_ratio: float
    energy: float
    total_energy: float
    products: tuple[Product, ...]
    reaction: str


@dataclass(frozen=True)
class Interface:
    """Reactions of `a` (usually the electrolyte) with `b` on one hull. Energies in eV/atom, negative = exothermic.

    Attributes:
        voltage: V vs Li/Li⁺ of the lithium reservoir, None for the closed system.
        kinks: from pure `b` (mixing ratio 0) to pure `a` (1).
        reaction_energy: the most negative energy of all kinks; 0 where nothing reacts.
        reaction_energy_per_electrolyte_atom: the same reaction, per atom of `a` instead of per atom of both.
        mixing_ratio, products, reaction: of the worst kink; ratio 1 where nothing reacts.
        total_reaction_energy, total_mixing_ratio, total_products: the worst `total_energy` and where it is.
        decomposition_energy_a, decomposition_energy_b: what each does alone under these conditions (0 when closed).
    """

    a: str
    b: str
    hull: str
    hull_version: str
    correction: str
    voltage: float | None
    kinks: tuple[Kink, ...]
    reaction_energy: float
    reaction_energy_per_electrolyte_atom: float
    mixing_ratio: float
    products: tuple[Product, ...]
    reaction: str
    total_reaction_energy: float
    total_mixing_ratio: float
    total_products: tuple[Product, ...]
    decomposition_energy_a: float
    decomposition_energy_b: float
    warnings: tuple[str, ...] = ()


def half_delithiated(cathode: Composition | str) -> Composition:
    """A cathode charged half-way: the same formula with half of its lithium, e.g. LiCoO2 → Li0.5CoO2.

    Raises:
        BadFormula, NoLithium.
    """
    composition = stated_unit(parse_formula(cathode) if isinstance(cathode, str) else cathode)
    if composition[LITHIUM] <= 0:
        raise NoLithium(f"{stated_formula(composition)} contains no lithium to take out; use it as it is.")
    return Composition({el: n / 2 if el == Element(LITHIUM) else n for el, n in composition.items()})


def interface(a: Composition, b: Composition, hull: Hull, *, voltage: float | None = None) -> Interface:
    """Reaction energies along the mixing line x·a + (1−x)·b.

    Closed: ΔE(x) = E_hull[x·a + (1−x)·b] − x·E_hull[a] − (1−x)·E_hull[b], per atom of both reactants (Richards et al.,
    Chem. Mater. 28, 266 (2016); Xiao et al., Joule 3, 1252 (2019)). At a voltage the grand potential E − μ_Li N_Li
    takes the place of E, per atom other than lithium, as in pymatgen's `GrandPotentialInterfacialReactivity`.

    Args:
        a, b: compositions, amounts may be fractional; `a` is the electrolyte in the per-electrolyte normalisation.
        voltage: V vs Li/Li⁺ of a lithium reservoir, −1 … 8.

    Raises:
        UnsupportedElement, DataUnavailable: an element without data on this hull.
        OutOfRange: the voltage.
        InvalidInput: lithium metal as a reactant at a voltage.
    """
    if voltage is not None:
        check_voltage(voltage)
    line = _MixingLine(stated_unit(a), stated_unit(b), hull, voltage)
    kinks = line.kinks()
    worst = min(kinks, key=lambda kink: kink.energy)
    if worst.energy > -NO_REACTION:
        worst = kinks[-1]
    total = min(kinks, key=lambda kink: kink.total_energy)
    share = line.closed_share(worst.mixing_ratio)
    return Interface(
        a=stated_formula(line.a),
        b=stated_formula(line.b),
        hull=hull.name,
        hull_version=hull.version,
        correction=hull.correction,
        voltage=voltage,
        kinks=kinks,
        reaction_energy=min(worst.energy, 0.0),
        reaction_energy_per_electrolyte_atom=min(rounded(worst.energy / share), 0.0) if share > 0 else 0.0,
        mixing_ratio=worst.mixing_ratio,
        products=worst.products,
        reaction=worst.reaction,
        total_reaction_energy=min(total.total_energy, 0.0),
        total_mixing_ratio=total.mixing_ratio,
        total_products=total.products,
        decomposition_energy_a=line.alone_a,
        decomposition_energy_b=line.alone_b,
    )


class _MixingLine:
    """The straight line between two compositions, in the share of closed atoms that come from the first."""

    def __init__(self, a: Composition, b: Composition, hull: Hull, voltage: float | None) -> None:
        self.a, self.b, self.hull = a, b, hull
        self.system: ChemicalSystem = chemical_system(hull, a, b, open_elements=() if voltage is None else (LITHIUM,))
        self.potentials = None if voltage is None else np.array([-voltage])
        amounts_a, amounts_b = self.system.amounts(a), self.system.amounts(b)
        self.closed_a, self.closed_b = float(amounts_a.sum()), float(amounts_b.sum())
        self.point_a, self.point_b = amounts_a / self.closed_a, amounts_b / self.closed_b

        self.end_a, self.end_b = self._evaluate(1.0), self._evaluate(0.0)
        self.alone_a = self._alone(a, self.closed_a, self.end_a.value)
        self.alone_b = self._alone(b, self.closed_b, self.end_b.value)

    def kinks(self) -> tuple[Kink, ...]:
        """All kinks from pure b to pure a, both ends included."""
        if np.abs(self.point_a - self.point_b).max() < 1e-9:
            return (self._kink(self.end_b), self._kink(self.end_a))
        at: dict[float, Tangent[Solution]] = {}

        def evaluate(share: float) -> Tangent[Solution]:
            if share not in at:
                at[share] = self._evaluate(share)
            return at[share]

        pieces = segments(evaluate, 0.0, 1.0)
        return tuple(self._kink(evaluate(share)) for share in [0.0, *(piece.high for piece in pieces[:-1]), 1.0])

    def closed_share(self, mixing_ratio: float) -> float:
        """Share of the closed atoms that come from a, at a mixing ratio counted in all atoms."""
        of_a = mixing_ratio * self.closed_a / self.a.num_atoms
        of_b = (1 - mixing_ratio) * self.closed_b / self.b.num_atoms
        return of_a / (of_a + of_b)

    def _evaluate(self, share: float) -> Tangent[Solution]:
        solution = self.system.solve(share * self.point_a + (1 - share) * self.point_b, self.potentials)
        slope = float(solution.duals @ (self.point_a - self.point_b))
        return Tangent(share, solution.objective, slope, solution)

    def _alone(self, composition: Composition, closed: float, equilibrium: float) -> float:
        """Energy of what one reactant, placed on the closed hull, does alone at the voltage; eV per closed atom."""
        if self.potentials is None:
            return 0.0
        energy = hull_energy(composition, self.hull) * composition.num_atoms
        return min(rounded(equilibrium - (energy - float(self.potentials[0]) * composition[LITHIUM]) / closed), 0.0)

    def _kink(self, tangent: Tangent[Solution]) -> Kink:
        share = tangent.position
        energy = tangent.value - share * self.end_a.value - (1 - share) * self.end_b.value
        units_a, units_b = share / self.closed_a, (1 - share) / self.closed_b
        all_a, all_b = units_a * self.a.num_atoms, units_b * self.b.num_atoms
        scale = 1 / (units_a + units_b)  # to one formula unit of reactants
        products = tuple(Product(p.formula, rounded(p.amount * scale)) for p in self.system.products(tangent.found))
        lithium = 0.0
        if self.potentials is not None:
            held = float(self.system.open_fractions[0, tangent.found.columns] @ tangent.found.amounts)
            lithium = (held - units_a * self.a[LITHIUM] - units_b * self.b[LITHIUM]) * scale
        reactants = [Product(stated_formula(self.a), units_a * scale), Product(stated_formula(self.b), units_b * scale)]
        return Kink(
            mixing_ratio=rounded(all_a / (all_a + all_b)),
            energy=min(rounded(energy), 0.0),
            total_energy=rounded(energy + share * self.alone_a + (1 - share) * self.alone_b),
            products=products,
            reaction=_reaction(reactants, products, lithium),
        )


def _reaction(reactants: list[Product], products: tuple[Product, ...], lithium: float) -> str:
    """Balanced reaction as text; lithium from or to the reservoir stands on its side."""
    left = [product for product in reactants if product.amount > 0]
    right = list(products)
    if abs(lithium) > EXCHANGED:
        (left if lithium > 0 else right).append(Product(LITHIUM, abs(lithium)))
    return " → ".join(" + ".join(f"{amount:.4g} {formula}" for formula, amount in side) for side in (left, right))
