"""How alike two candidates are, so that a batch does not ask the same question five times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.errors import OutOfRange


@dataclass(frozen=True)
class Facets:
    """What candidates are compared by; [n] each, empty where not known.

    Attributes:
        elements: the elements that distinguish a candidate, for instance its dopants.
        sites: sub-lattice or mechanism.
        families: structural family.
    """

    elements: tuple[frozenset[str], ...] = ()
    sites: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return max(len(self.elements), len(self.sites), len(self.families))

    def similarity(self, index: int) -> np.ndarray:
        """Likeness of every candidate to one of them, [n] in [0, 1], 1 for itself.

        The mean over the facets that are known: shared elements over all elements of both (Jaccard), same site, same
        family. An empty label is like nothing but itself.
        """
        parts = []
        if self.elements:
            own = self.elements[index]
            parts.append([len(own & e) / len(own | e) if own | e else 1.0 for e in self.elements])
        parts += [
            [float(label == labels[index] and label != "") for label in labels]
            for labels in (self.sites, self.families)
            if labels
        ]
        if not parts:
            return np.zeros(self.size)
        likeness = np.mean(parts, axis=0)
        likeness[index] = 1.0
        return likeness


def facets(
    compositions: Sequence[Composition],
    families: Sequence[str] = (),
    sites: Sequence[str] = (),
    elements: Sequence[frozenset[str]] = (),
) -> Facets:
    """Facets of candidates; `elements` is by default what a composition has and not all of them share.

    Raises:
        OutOfRange: lists of different lengths.
    """
    n = len(compositions)
    for name, labels in (("families", families), ("sites", sites), ("elements", elements)):
        if labels and len(labels) != n:
            raise OutOfRange(f"{n} candidates came with {len(labels)} {name}; give one for each, or none.")
    if not elements:
        present = [frozenset(el.symbol for el in c.elements) for c in compositions]
        shared = frozenset.intersection(*present) if present else frozenset()
        elements = [symbols - shared for symbols in present]
    return Facets(tuple(elements), tuple(sites), tuple(families))
