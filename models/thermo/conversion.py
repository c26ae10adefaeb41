"""What an additive turns into at lithium: conversion layers such as Li3N | LixSi from Si3N4, and whether they leak."""

from dataclasses import dataclass

from pymatgen.core import Composition, Element

from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.hulls.base import Hull
from ionscout.models.thermo.electronic import ElectronicCharacter, electronic_character
from ionscout.models.thermo.equilibrium import Product, decompose, stated_formula, stated_unit
from ionscout.models.thermo.interface import Kink, interface
from ionscout.models.thermo.linear_program import rounded

LITHIUM = Composition("Li")
NO_REACTION = 1e-4  # eV/atom; weaker reactions make no layer


@dataclass(frozen=True)
class Layer:
    """One set of products and how it treats electrons.

    Attributes:
        lithium: atoms consumed per formula unit of the additive.
        products: formula units per formula unit of the additive.
        energy_per_formula: reaction energy in eV per formula unit of the additive, ≤ 0.
        energy_per_atom: the same per atom of additive and lithium together.
        characters: how each product treats electrons, in the order of `products`.
        blocks_electrons: all solid products do, so that the layer protects; False with a conductor, or without a solid.
        reason: in words.
    """

    lithium: float
    products: tuple[Product, ...]
    energy_per_formula: float
    energy_per_atom: float
    characters: tuple[ElectronicCharacter, ...]
    blocks_electrons: bool
    reason: str


@dataclass(frozen=True)
class Conversion:
    """Reaction of an additive with lithium metal.

    Attributes:
        reacts: whether lithium changes the additive at all.
        excess: the products in excess lithium (grand potential at 0 V): the layer on a lithium electrode.
        stoichiometric: those of the most exothermic mixing ratio per atom of both, with no lithium to spare.
        steps: every layer on the way, with rising lithium, the last one being `excess`.
        onset: V vs Li/Li⁺ below which lithium uptake starts.
    """

    additive: str
    hull: str
    hull_version: str
    correction: str
    reacts: bool
    excess: Layer
    stoichiometric: Layer
    steps: tuple[Layer, ...]
    onset: float
    warnings: tuple[str, ...] = ()


def conversion(additive: Composition, hull: Hull) -> Conversion:
    """Convert an additive (Si3N4, AlF3, SbF3, InCl3, AgF, Cu3N, LiNO3, …) with lithium.

    Both are placed on the hull. Products are those of the equilibrium; kinetics may leave an intermediate step.

    Raises:
        UnsupportedElement, DataUnavailable: an element without data on this hull.
        InvalidInput: lithium itself.
    """
    unit = stated_unit(additive)
    if all(element.symbol == "Li" for element in unit.elements):
        raise InvalidInput("Lithium needs no conversion; name an additive such as Si3N4.")
    line = interface(unit, LITHIUM, hull)
    end = decompose(unit, hull, mu={"Li": 0.0})
    own = decompose(unit, hull).energy * unit.num_atoms
    closed = sum(n for element, n in unit.items() if element != Element("Li"))

    excess = _layer(unit, hull, end.uptake["Li"], end.products, end.energy * closed - own)
    # Kinks run from lithium (mixing ratio 0) to the additive (1); those between are the layers.
    kinks = [kink for kink in reversed(line.kinks) if 0 < kink.mixing_ratio < 1]
    steps = [*(_of_kink(unit, hull, kink) for kink in kinks[:-1]), *([excess] if kinks else [])]
    worst = min(kinks, key=lambda kink: kink.energy, default=None)
    reacts = line.reaction_energy < -NO_REACTION
    stoichiometric = excess if worst is None else _of_kink(unit, hull, worst)
    known = hull.energy_of(unit) is not None
    missing = (
        f"{stated_formula(unit)} has no entry on the hull {hull.name}: its energy is that of its equilibrium products."
    )
    return Conversion(
        additive=stated_formula(unit),
        hull=hull.name,
        hull_version=hull.version,
        correction=hull.correction,
        reacts=reacts,
        excess=excess,
        stoichiometric=stoichiometric,
        steps=tuple(steps),
        onset=_onset(unit, steps),
        warnings=() if known else (missing,),
    )


def _of_kink(unit: Composition, hull: Hull, kink: Kink) -> Layer:
    """A kink's layer: its amounts are per formula unit of reactants, here they become per formula unit of additive."""
    of_additive, of_lithium = kink.mixing_ratio / unit.num_atoms, 1 - kink.mixing_ratio
    scale = (of_additive + of_lithium) / of_additive
    products = tuple(Product(product.formula, rounded(product.amount * scale)) for product in kink.products)
    return _layer(unit, hull, of_lithium / of_additive, products, kink.energy / of_additive)


def _layer(unit: Composition, hull: Hull, lithium: float, products: tuple[Product, ...], energy: float) -> Layer:
    characters = tuple(electronic_character(product.formula, hull) for product in products)
    leaks = [character for character in characters if character.conducts]
    solids = [character for character in characters if character.kind != "gas"]
    if leaks:
        reason = f"Electrons pass: {'; '.join(character.reason for character in leaks)}."
    elif solids:
        reason = f"All solids block electrons ({', '.join(character.formula for character in solids)})."
    else:
        reason = "No solid forms."
    return Layer(
        lithium=rounded(lithium),
        products=products,
        energy_per_formula=min(rounded(energy), 0.0),
        energy_per_atom=min(rounded(energy / (unit.num_atoms + lithium)), 0.0),
        characters=characters,
        blocks_electrons=bool(solids) and not leaks,
        reason=reason,
    )


def _onset(unit: Composition, steps: list[Layer]) -> float:
    """Voltage of the first uptake: energy released per lithium of the first step."""
    if not steps:
        return 0.0
    return max(rounded(-steps[0].energy_per_formula / steps[0].lithium), 0.0)
