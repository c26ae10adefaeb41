"""A material with some species replaced by typical ones: the difference is what a prediction owes to the real ones.

Typical is the mean mixture of anions, or of cations other than lithium, in the embedded measurements. A site then holds
a mixture, as the sites of a disordered crystal do, so that every model that reads materials can be asked.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from pymatgen.core import Composition, Element, Structure

from ionscout.datasets.composition import atomic_fractions
from ionscout.datasets.sources.reference import embedded_measurements
from ionscout.datasets.structure import Material
from ionscout.models.conductivity.crystal_sites import LITHIUM, SiteTable, anion_elements, site_table

LARGEST_MIXTURE = 8  # elements; the rest of the mean has less than a few per cent, and more only costs time


@dataclass(frozen=True)
class TypicalSpecies:
    """Mean mixtures of a role, each adding up to 1."""

    anions: dict[Element, float]
    cations: dict[Element, float]


@lru_cache
def typical_species() -> TypicalSpecies:
    """Mean anions and cations of the embedded electrolytes, every formula counted once."""
    total = {True: np.zeros(95), False: np.zeros(95)}
    for formula in {m.formula: m.composition for m in embedded_measurements()}.values():
        fractions = atomic_fractions(formula)
        anions = list(anion_elements(np.flatnonzero(fractions)))
        share = np.zeros_like(fractions)
        share[anions] = fractions[anions]
        total[True] += share / share.sum()
        rest = fractions - share
        rest[LITHIUM] = 0
        if rest.sum() > 0:
            total[False] += rest / rest.sum()
    return TypicalSpecies(_largest(total[True]), _largest(total[False]))


def _largest(amounts: np.ndarray) -> dict[Element, float]:
    chosen = np.argsort(-amounts, kind="stable")[:LARGEST_MIXTURE]
    share = amounts[chosen] / amounts[chosen].sum()
    return {Element.from_Z(int(z)): float(x) for z, x in zip(chosen, share, strict=True) if x > 0}


class Occluder:
    """Makes versions of one material in which chosen elements or sites are typical ones; its cell stays."""

    def __init__(self, material: Material):
        self.material = material
        self.sites: SiteTable | None = None if material.structure is None else site_table(material.structure)
        self._anions = anion_elements(el.Z for el in material.composition.elements)

    def elements(self) -> list[Element]:
        """What can be replaced: all but lithium, by amount, largest first."""
        amounts = sorted((-float(amount), el.Z) for el, amount in self.material.composition.items())
        return [Element.from_Z(z) for _, z in amounts if z != LITHIUM]

    def is_anion(self, element: Element) -> bool:
        """Whether the element is an anion where most of it is."""
        if self.sites is None or not (here := self.sites.entry_z == element.Z).any():
            return element.Z in self._anions
        occupancy = self.sites.entry_occupancy
        return bool(occupancy[here & self.sites.entry_anion].sum() > occupancy[here].sum() / 2)

    def without(self, elements: Collection[Element]) -> Material:
        """Every atom of these elements, on all sites and in the formula, replaced by the typical ones of its role."""
        if not elements:
            return self.material
        amounts: dict[Element, float] = {}
        for species, amount in self.material.composition.items():
            el = Element.from_Z(species.Z)
            _add(amounts, el, amount, el in elements, self.is_anion(el))
        structure = self.material.structure
        if structure is not None:
            structure = self._replaced(structure, {el.Z for el in elements}, np.ones(len(structure), dtype=bool))
        return replace(self.material, composition=Composition(amounts), structure=structure)

    def without_sites(self, chosen: np.ndarray) -> Material:
        """The chosen sites [k] made typical, in the crystal alone: lithium taken away, everything else replaced.

        Raises:
            ValueError: when the material has no structure.
        """
        structure = self.material.structure
        if structure is None:
            raise ValueError("A formula has no sites.")
        here = np.zeros(len(structure), dtype=bool)
        here[chosen] = True
        everything = {el.Z for el in structure.composition.elements} - {LITHIUM}
        return replace(self.material, structure=self._replaced(structure, everything, here, keep_lithium=False))

    def _replaced(self, structure: Structure, z: set[int], here: np.ndarray, keep_lithium: bool = True) -> Structure:
        """Sites with the given elements made typical where `here`; sites that nothing is left on are dropped."""
        assert self.sites is not None
        mixtures: list[dict[Element, float]] = [{} for _ in range(len(structure))]
        entries = zip(
            self.sites.entry_site.tolist(),
            self.sites.entry_z.tolist(),
            self.sites.entry_occupancy.tolist(),
            self.sites.entry_anion.tolist(),
            strict=True,
        )
        for site, number, occupancy, anion in entries:
            if here[site] and number == LITHIUM and not keep_lithium:
                continue
            _add(mixtures[site], Element.from_Z(number), occupancy, bool(here[site]) and number in z, anion)
        held = [i for i, mixture in enumerate(mixtures) if mixture]
        return Structure(structure.lattice, [mixtures[i] for i in held], structure.frac_coords[held])


def _add(mixture: dict[Element, float], element: Element, amount: float, typical: bool, anion: bool) -> None:
    species = typical_species()
    parts = (species.anions if anion else species.cations) if typical else {element: 1.0}
    for el, share in parts.items():
        mixture[el] = mixture.get(el, 0.0) + amount * share
