"""How each row is read: as its own crystal, or through the cells that stand in for a bare formula."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ionscout.datasets.structure import Material
from ionscout.models.conductivity.completion import Reading, readings
from ionscout.models.conductivity.predictor import path_of
from ionscout.training.examples import Examples, seen_as


@dataclass(frozen=True)
class ReadRows:
    """Every reading of every row: `options` [k] as examples, the row and weight of each, and the path of each row."""

    options: Examples
    owner: np.ndarray
    weight: np.ndarray
    path: np.ndarray

    @classmethod
    def of(cls, rows: Examples, materials: Sequence[Material], cutoff: float) -> "ReadRows":
        """The rows with what is known of each material; `rows` themselves where every row is read as it is."""
        seen: list[list[Reading]] = [readings(material) for material in materials]
        owner = np.repeat(np.arange(len(seen)), [len(options) for options in seen])
        path = np.array([path_of(m, options) for m, options in zip(materials, seen, strict=True)])
        weight = np.array([option.weight for options in seen for option in options])
        read_as = [option.material for options in seen for option in options]
        as_they_are = len(read_as) == len(rows) and all(a is b for a, b in zip(read_as, rows.materials, strict=True))
        options = rows if as_they_are else seen_as(rows.rows(owner), read_as, cutoff)
        return cls(options, owner, weight, path)

    def of_rows(self, rows: np.ndarray) -> np.ndarray:
        """Positions in `options` of the readings of these rows."""
        return np.flatnonzero(np.isin(self.owner, rows))
