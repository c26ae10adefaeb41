"""What kind of interphase forms where an electrolyte touches lithium metal or a cathode: none, an SEI or an MCI."""

from dataclasses import dataclass

from pymatgen.core import Composition, Element

from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.hulls.base import Hull
from ionscout.models.thermo.electronic import ElectronicCharacter, deciding, electronic_character
from ionscout.models.thermo.equilibrium import Product, decompose, stated_formula, stated_unit
from ionscout.models.thermo.interface import half_delithiated, interface
from ionscout.models.thermo.linear_program import rounded

STABLE, SEI, MCI = "stable", "SEI", "MCI"
# Driving force (eV per atom of both reactants, closed system) up to which an interface counts as stable: the criterion
# for garnet interfaces of the Mo group (Chu et al., Mater. Chem. Front. 2024, section 3.2: |E_d| < 0.05 eV/atom), about
# twice the error of computed reaction energies (24 meV/atom: Hautier et al., Phys. Rev. B 85, 155208 (2012)). Xiao et
# al., Joule 3, 1252 (2019), tolerate 0.1. Halved, tantalum-doped garnets (0.043 on mp-2019), found stable, would react.
STABLE_BELOW = 0.05
NOTHING = 1e-4  # eV/atom; below, no reaction is worth a word
LITHIUM = Composition("Li")


@dataclass(frozen=True)
class Interphase:
    """The class of an interphase after Wenzel et al., Solid State Ionics 278, 98 (2015), and what decides it.

    Attributes:
        electrolyte, against: formulas; `against` is "Li" or the cathode.
        charged: the cathode was taken half delithiated.
        interphase_class: "stable" (no reaction beyond the threshold), "SEI" (all products block electrons: growth
            stops) or "MCI" (a product conducts electrons: it keeps growing).
        driving_force: most exothermic mixing reaction, eV per atom of both reactants, ≤ 0.
        threshold: driving force up to which an interface counts as stable, eV/atom.
        decomposition_energy_0V: against lithium, energy of the products in excess lithium per atom of the electrolyte
            placed on the hull; None against a cathode.
        products: formula units per formula unit of the electrolyte (lithium) or of both reactants (cathode).
        characters: how each product treats electrons, in the order of `products`.
        deciding_products: those that decide the class.
        reason: in words.
    """

    electrolyte: str
    against: str
    charged: bool
    hull: str
    hull_version: str
    correction: str
    interphase_class: str
    driving_force: float
    threshold: float
    decomposition_energy_0V: float | None
    products: tuple[Product, ...]
    characters: tuple[ElectronicCharacter, ...]
    deciding_products: tuple[str, ...]
    reason: str
    warnings: tuple[str, ...] = ()


def lithium_interphase(electrolyte: Composition, hull: Hull, *, threshold: float = STABLE_BELOW) -> Interphase:
    """Class of the interphase with lithium metal.

    The products are those of the equilibrium with excess lithium, i.e. of the grand potential at 0 V; the driving force
    is that of the most exothermic mixing ratio of electrolyte and lithium. The electrolyte is placed on the hull.

    Args:
        threshold: eV per atom of both reactants up to which the interface counts as stable.

    Raises:
        UnsupportedElement, DataUnavailable: an element without data on this hull.
        InvalidInput: lithium metal itself, or a threshold below 0.
    """
    unit = stated_unit(electrolyte)
    if all(element.symbol == "Li" for element in unit.elements):
        raise InvalidInput("Lithium metal forms no interphase with itself; name an electrolyte.")
    _check_threshold(threshold)
    force = interface(unit, LITHIUM, hull).reaction_energy
    excess = decompose(unit, hull, mu={"Li": 0.0})
    closed = sum(n for element, n in unit.items() if element != Element("Li"))
    on_hull = decompose(unit, hull).energy * unit.num_atoms
    energy = min((excess.energy * closed - on_hull) / unit.num_atoms, 0.0)
    return _judge(unit, "Li", False, hull, force, threshold, energy, excess.products)


def cathode_interphase(
    electrolyte: Composition,
    cathode: Composition,
    hull: Hull,
    *,
    charged: bool = False,
    voltage: float | None = None,
    threshold: float = STABLE_BELOW,
) -> Interphase:
    """Class of the interphase with a cathode, from the products of the most exothermic mixing ratio.

    Args:
        charged: take the cathode half delithiated.
        voltage: V vs Li/Li⁺ of a lithium reservoir, −1 … 8; closed system without it.
        threshold: eV per atom of both reactants up to which the interface counts as stable.

    Raises:
        UnsupportedElement, DataUnavailable: an element without data on this hull.
        NoLithium: a charged cathode that holds no lithium.
        OutOfRange: the voltage.
        InvalidInput: a threshold below 0.
    """
    _check_threshold(threshold)
    unit = stated_unit(electrolyte)
    other = half_delithiated(cathode) if charged else stated_unit(cathode)
    found = interface(unit, other, hull, voltage=voltage)
    own = {stated_formula(unit), stated_formula(other)}
    new = tuple(product for product in found.products if product.formula not in own)
    return _judge(unit, stated_formula(other), charged, hull, found.reaction_energy, threshold, None, new)


def _judge(
    unit: Composition,
    against: str,
    charged: bool,
    hull: Hull,
    force: float,
    threshold: float,
    energy: float | None,
    products: tuple[Product, ...],
) -> Interphase:
    reacts = force < -NOTHING
    characters = tuple(electronic_character(p.formula, hull) for p in products) if reacts else ()
    deciders = deciding(characters)
    names = tuple(character.formula for character in deciders)
    conducting = any(character.conducts for character in deciders)
    formula, warnings = stated_formula(unit), []
    size = f"{-1000 * force:.0f} meV/atom"
    if force >= -threshold:
        kind, names = STABLE, ()
        reason = (
            f"{formula} and {against} do not react."
            if not reacts
            else f"The driving force of {size} is within the {1000 * threshold:.0f} meV/atom up to which interfaces "
            "are found stable."
        )
        if reacts and conducting:
            warnings.append(
                f"If the reaction does start, {_listed(names_of(deciders))} would form and conduct electrons."
            )
    elif conducting:
        kind = MCI
        reason = (
            f"The reaction with {against} releases {size}, and electrons pass the products: "
            f"{'; '.join(character.reason for character in deciders)}. The layer keeps growing."
        )
    else:
        kind = SEI
        reason = (
            f"The reaction with {against} releases {size}, but all solid products block electrons "
            f"({_listed(names)}), so the layer stops growing."
        )
    return Interphase(
        electrolyte=formula,
        against=against,
        charged=charged,
        hull=hull.name,
        hull_version=hull.version,
        correction=hull.correction,
        interphase_class=kind,
        driving_force=force,
        threshold=threshold,
        decomposition_energy_0V=None if energy is None else rounded(energy),
        products=products if reacts else (),
        characters=characters,
        deciding_products=names,
        reason=reason,
        warnings=tuple(warnings),
    )


def names_of(characters: tuple[ElectronicCharacter, ...]) -> tuple[str, ...]:
    return tuple(character.formula for character in characters)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}" if names else "none"


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold < float("inf"):
        raise InvalidInput("The threshold of the driving force is in eV/atom and not negative; the default is 0.05.")
