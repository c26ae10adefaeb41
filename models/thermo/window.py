"""The electrochemical window: between which voltages a composition neither takes up nor loses lithium."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pymatgen.core import Composition

from ionscout.datasets.errors import InvalidInput, OutOfRange
from ionscout.datasets.hulls.base import Hull
from ionscout.models.thermo.equilibrium import (
    Product,
    chemical_system,
    decompose,
    stated_formula,
    stated_unit,
)
from ionscout.models.thermo.linear_program import rounded
from ionscout.models.thermo.staircase import LITHIUM, SAME_LITHIUM, Step, lithium_staircase, step_at, zero_step

LOWEST, HIGHEST = -1.0, 8.0  # V; beyond, no electrode of a lithium cell works
METASTABLE = 0.001  # eV/atom above hull from which a warning is worth its line


@dataclass(frozen=True)
class Plateau:
    """A voltage range with one set of equilibrium products.

    Attributes:
        voltage_high, voltage_low: V vs Li/Li⁺; the top one has `voltage_high` None (no upper end).
        lithium_uptake: lithium taken up per formula unit of the electrolyte, negative when it is lost.
        products: formulas with formula units per formula unit of the electrolyte.
        energy: decomposition energy in eV per atom of electrolyte (lithium taken up is not counted) at the end of the
            range that is further from the window: `voltage_low` for reduction, `voltage_high` for oxidation
            (`voltage_low` where there is no upper end). Inside the window it is minus the energy above hull.
    """

    voltage_high: float | None
    voltage_low: float
    lithium_uptake: float
    products: tuple[Product, ...]
    energy: float


@dataclass(frozen=True)
class Window:
    """Window of one composition on one hull. Voltages in V vs Li/Li⁺, energies in eV per atom of electrolyte.

    Attributes:
        reduction_limit: highest voltage at which lithium uptake starts.
        oxidation_limit: lowest voltage at which lithium loss starts; None without lithium to lose.
        practical_reduction_limit, practical_oxidation_limit: the same, extended by insulating products; None as long
            as `practical_limits` has not been asked.
        practical_reduction_reason, practical_oxidation_reason: what stopped the extension, in words; None likewise.
        plateaus: from low to high voltage, the window itself (uptake 0) included.
        decomposition_energy_0V, decomposition_energy_5V: of the electrolyte as it is, its energy above hull included
            (the convention behind LGPS + Li at 0 V: −1.25 eV/atom); without an entry it is taken to lie on the hull.
        energy_above_hull: of the hull's own entry at this composition, or of the energy given; None without either.
        decomposition_products: equilibrium phases without exchange of lithium.
        lithium_shift: lithium per formula unit by which a rounded formula was corrected to balance its charges.
    """

    formula: str
    hull: str
    hull_version: str
    correction: str
    reduction_limit: float
    oxidation_limit: float | None
    practical_reduction_limit: float | None
    practical_oxidation_limit: float | None
    plateaus: tuple[Plateau, ...]
    decomposition_energy_0V: float
    decomposition_energy_5V: float
    products_0V: tuple[Product, ...]
    products_5V: tuple[Product, ...]
    energy_above_hull: float | None
    decomposition_products: tuple[Product, ...]
    lithium_shift: float = 0.0
    warnings: tuple[str, ...] = ()
    practical_reduction_reason: str | None = None
    practical_oxidation_reason: str | None = None

    def plateau_at(self, voltage: float) -> Plateau:
        """The plateau at a voltage; at a boundary the upper one."""
        return next(
            plateau
            for plateau in reversed(self.plateaus)
            if plateau.voltage_low <= voltage or plateau is self.plateaus[0]
        )


def check_voltage(voltage: float) -> None:
    """Refuse voltages at which no lithium cell works.

    Raises:
        OutOfRange.
    """
    if not LOWEST <= voltage <= HIGHEST:
        raise OutOfRange(
            f"{voltage:g} V is outside {LOWEST:g} to {HIGHEST:g} V vs Li/Li+; give a voltage in this range."
        )


def window(composition: Composition, hull: Hull, *, energy: float | None = None) -> Window:
    """Electrochemical window of a composition against a lithium reservoir.

    φ(V) = E − μ_Li N_Li with μ_Li = −eV against lithium metal is minimised over the phases of the chemical system at
    fixed amounts of all other elements. The electrolyte is placed on the hull, as by Zhu, He and Mo, ACS Appl. Mater.
    Interfaces 7, 23685 (2015): its window is the voltage range in which the equilibrium phases hold as much lithium as
    itself. Works for lithium-free coatings, which can only take lithium up.

    Args:
        composition: any amounts, fractional ones too; answers are per formula unit.
        energy: the electrolyte's formation energy in eV/atom on this hull's scale; by default the hull's own entry.
            It enters the decomposition energies, never the limits.

    Raises:
        UnsupportedElement, DataUnavailable: an element without data on this hull.
        InvalidInput: lithium metal itself.
    """
    unit = stated_unit(composition)
    if all(element.symbol == LITHIUM for element in unit.elements):
        raise InvalidInput("Lithium metal is the reference electrode and has no window; name a compound.")
    system = chemical_system(hull, unit, open_elements=[LITHIUM])
    staircase = lithium_staircase(system, unit)

    warnings = []
    zero, shift = zero_step(staircase, unit)
    corrected = abs(shift) > SAME_LITHIUM * unit.num_atoms
    if zero is None:
        warnings.append("The composition lies between two equilibria that differ in lithium: its window has no width.")
    elif corrected:
        warnings.append(
            f"The formula is off charge balance: its window is that of the composition with {shift:+.3f} Li."
        )
    oxidation: float | None
    if zero is None:
        reduction = oxidation = next(step.voltage_low for step in staircase if step.uptake < 0)
        reference = decompose(unit, hull)
        own_energy, own_products = reference.energy * unit.num_atoms, reference.products
    else:
        staircase = [replace(step, uptake=step.uptake - shift) for step in staircase]
        reduction, oxidation = staircase[zero].voltage_low, staircase[zero].voltage_high
        own_energy, own_products = staircase[zero].formation, staircase[zero].products

    energy = hull.energy_of(unit) if energy is None else energy
    above = None if energy is None else max(rounded(energy - own_energy / unit.num_atoms), 0.0)
    if above is not None and above > METASTABLE:
        warnings.append(f"The compound lies {1000 * above:.0f} meV/atom above its equilibrium products.")
    own_energy += (above or 0.0) * unit.num_atoms

    def plateau(step: Step) -> Plateau:
        far = step.voltage_low if step.uptake > 0 or step.voltage_high is None else step.voltage_high
        inside = zero is not None and step is staircase[zero]
        return Plateau(
            voltage_high=step.voltage_high,
            voltage_low=step.voltage_low,
            lithium_uptake=0.0 if inside else rounded(step.uptake),
            products=step.products,
            energy=rounded(step.energy_at(far, own_energy) / unit.num_atoms),
        )

    at_0, at_5 = step_at(staircase, 0.0), step_at(staircase, 5.0)
    return Window(
        formula=stated_formula(unit),
        hull=hull.name,
        hull_version=hull.version,
        correction=hull.correction,
        reduction_limit=reduction,
        oxidation_limit=oxidation,
        practical_reduction_limit=None,
        practical_oxidation_limit=None,
        plateaus=tuple(plateau(step) for step in staircase),
        decomposition_energy_0V=rounded(at_0.energy_at(0.0, own_energy) / unit.num_atoms),
        decomposition_energy_5V=rounded(at_5.energy_at(5.0, own_energy) / unit.num_atoms),
        products_0V=at_0.products,
        products_5V=at_5.products,
        energy_above_hull=above,
        decomposition_products=own_products,
        lithium_shift=rounded(shift) if corrected else 0.0,
        warnings=tuple(warnings),
    )


def practical_limits(found: Window, insulates: Callable[[str], bool]) -> Window:
    """Extend the limits by decomposition products that passivate.

    Where all products of the plateau that is reached insulate electrons, decomposition stops at a thin layer until
    these products are reduced (or oxidised) in turn: the limit moves to the far end of the plateau, and the question is
    asked again there (Zhu, He and Mo 2015, section 3.3: Li3PS4 | Li2S, Li3P). The plateaus are the equilibria of all
    products together, so that reactions among them count too.

    Args:
        found: a window.
        insulates: whether a product, given by its formula, forms a layer that blocks electrons.

    Returns:
        The window with `practical_reduction_limit`, `practical_oxidation_limit` and their reasons filled in; an
        oxidation limit is None where the last products insulate and hold no lithium to lose.
    """
    low: float = found.reduction_limit
    below = "Lithium metal does not reduce it." if low <= 0 else ""
    while low > 0:
        plateau = _beside(found, low, -1)
        names = [product.formula for product in plateau.products]
        leaky = [formula for formula in names if not insulates(formula)]
        if leaky:
            below = f"At {low:.2f} V it forms {', '.join(leaky)}, which makes no electron-blocking layer."
            break
        low = plateau.voltage_low
        below = f"Its products block electrons down to lithium metal ({', '.join(names)})."
    high: float | None = found.oxidation_limit
    above = "It has no oxidation limit." if high is None else ""
    while high is not None:
        plateau = _beside(found, high, +1)
        names = [product.formula for product in plateau.products]
        leaky = [formula for formula in names if not insulates(formula)]
        if leaky:
            above = f"At {high:.2f} V it forms {', '.join(leaky)}, which makes no electron-blocking layer."
            break
        high = plateau.voltage_high
        above = f"Its last products block electrons ({', '.join(names)})."
    return replace(
        found,
        practical_reduction_limit=low,
        practical_oxidation_limit=high,
        practical_reduction_reason=below,
        practical_oxidation_reason=above,
    )


def _beside(found: Window, voltage: float, side: int) -> Plateau:
    """The plateau just below (side −1) or above (+1) a voltage."""
    return found.plateau_at(max(voltage + side * 1e-6, 0.0))
