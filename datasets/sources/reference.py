"""Measured conductivities to show beside a prediction: every row that is on this machine, without its crystal."""

import csv
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from pymatgen.core import Composition, Element

from ionscout.datasets.composition import HEAVIEST, atomic_fractions, parse_formula
from ionscout.datasets.embedded.build import load_facts
from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import ROOM_TEMPERATURE, Kind, Measurement, normal_doi
from ionscout.datasets.sources.conductivity_1011 import Conductivity1011
from ionscout.datasets.sources.embedded import ZERO_CELSIUS
from ionscout.datasets.sources.laskowski import Laskowski
from ionscout.datasets.sources.liverpool import Liverpool
from ionscout.datasets.sources.obelix import Obelix
from ionscout.datasets.sources.repeats import SAME_FORMULA, SAME_TEMPERATURE, SAME_VALUE, fraction_matrix, publication

# Steps on the Mendeleev scale that another space group counts for: as much as 1 % of the atoms going to the far end.
OTHER_SPACE_GROUP = 1.0
LITHIUM = 3  # atomic number


@dataclass(frozen=True)
class Neighbour:
    """A measured material near a given one.

    Attributes:
        distance: element-mover's distance of the formulas, in steps on Pettifor's Mendeleev scale per atom.
        same_space_group: None where one of the two space groups is not known.
    """

    measurement: Measurement
    distance: float
    same_space_group: bool | None


@dataclass(frozen=True)
class ReferenceList:
    """Measured rows and the names of the sources they are from."""

    measurements: tuple[Measurement, ...]
    sources: tuple[str, ...]
    _scale: np.ndarray  # cumulative fractions along the Mendeleev scale, [n, s]

    def nearest(
        self,
        composition: Composition,
        count: int,
        *,
        space_group: int | None = None,
        temperature_K: float = ROOM_TEMPERATURE,
    ) -> list[Neighbour]:
        """The nearest rows, nearest first: of one formula in one publication only the row nearest in temperature.

        Distance is the element-mover's one: how far the atoms of one formula must be moved along Mendeleev numbers to
        make the other. Source: Hargreaves et al., Chem. Mater. 32, 10610 (2020).
        """
        apart = np.abs(self._scale - _along_scale([composition])).sum(1)
        groups = [_group(m) for m in self.measurements]
        other = np.array([space_group is not None and g is not None and g != space_group for g in groups])
        warmth = np.array([abs(m.temperature_K - temperature_K) for m in self.measurements])
        shown: list[Neighbour] = []
        for i in np.lexsort([warmth, (apart + OTHER_SPACE_GROUP * other).round(6)]):
            row = self.measurements[int(i)]
            if not any(same_measurement(row, known.measurement) for known in shown):
                known_group = groups[int(i)]
                alike = None if space_group is None or known_group is None else known_group == space_group
                shown.append(Neighbour(row, float(apart[i]), alike))
            if len(shown) == count:
                break
        return shown

    def repeats(self, composition: Composition, space_group: int | None = None) -> list[Measurement]:
        """Every row of this very material, at all temperatures; rows known to have another space group are left out."""
        fractions = atomic_fractions(composition)
        lithium = fractions[LITHIUM]
        order, amounts, known = self._by_lithium
        low = np.searchsorted(amounts, lithium - SAME_FORMULA - 1e-9)
        high = np.searchsorted(amounts, lithium + SAME_FORMULA + 1e-9)
        near = order[low:high]
        same = near[np.abs(known[near] - fractions).max(1, initial=0.0) <= SAME_FORMULA]
        rows = [self.measurements[int(i)] for i in np.sort(same)]
        return [m for m in rows if space_group is None or _group(m) in (None, space_group)]

    @cached_property
    def _by_lithium(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row numbers by rising share of lithium [n], these shares, and all fractions [n, 95].

        Every prediction asks for repeats: looking at the few rows with as much lithium takes microseconds.
        """
        known = fraction_matrix(self.measurements)
        order = np.argsort(known[:, LITHIUM], kind="stable")
        return order, known[order, LITHIUM], known


def reference_list() -> ReferenceList:
    """The embedded measurements, and where `IONSCOUT_DATA_DIR` has them OBELiX's training part and the three tables.

    Raises:
        BadData: a table that is here cannot be read.
    """
    return _load(settings().data_dir)


@lru_cache(maxsize=2)
def _load(data_dir: Path | None) -> ReferenceList:
    rows = embedded_measurements()
    sources = ["embedded"]
    if data_dir is not None:
        with suppress(DataUnavailable):
            rows += _ObelixRows(part="train").load()
            sources.append("OBELiX (training part)")
        for table in (Liverpool(), Laskowski(), Conductivity1011()):
            if table.available():
                rows += table.load()
                sources.append(table.name)
    rows = [m for m in rows if math.isfinite(m.log10_conductivity)]
    return ReferenceList(tuple(rows), tuple(sources), _along_scale([m.composition for m in rows]))


class _ObelixRows(Obelix):
    """OBELiX without its crystals, whose reading takes seconds."""

    def load(self) -> list[Measurement]:
        return [self._measurement(row, None) for _, row in self._table().iterrows()]


def embedded_measurements() -> list[Measurement]:
    """Rows of the embedded table without their crystals."""
    text = (files("ionscout.datasets.embedded") / "measurements.csv").read_text(encoding="utf-8")
    groups = {crystal.id: crystal.number for crystal in load_facts()}
    kinds: dict[str, Kind] = {"total": "total", "bulk": "bulk"}
    return [
        Measurement(
            id=row["id"],
            formula=row["formula"],
            composition=parse_formula(row["formula"]),
            structure=None,
            log10_conductivity=math.log10(float(row["conductivity_S_cm"])),
            censored=row["censored"] == "true",
            temperature_K=float(row["temperature_C"]) + ZERO_CELSIUS,
            family=row["family"],
            doi=normal_doi(row["doi"]),
            source="embedded",
            kind=kinds.get(row["kind"], "unknown"),
            activation_energy_eV=float(row["activation_energy_eV"]) if row["activation_energy_eV"] else None,
            reference=row["reference"],
            space_group=groups.get(row["structure"]),
        )
        for row in csv.DictReader(text.splitlines())
    ]


@lru_cache
def _places() -> np.ndarray:
    """Place on the Mendeleev scale by atomic number, [95] int; numbers start at 1 and a few are skipped."""
    return np.array([0] + [round(Element.from_Z(z).mendeleev_no) for z in range(1, HEAVIEST + 1)])


def _along_scale(compositions: Sequence[Composition]) -> np.ndarray:
    """Cumulative atomic fractions along the Mendeleev scale, [n, 104]: their L1 distance is the mover's distance."""
    scale = np.zeros((len(compositions), int(_places().max()) + 1))
    for row, composition in zip(scale, compositions, strict=True):
        np.add.at(row, _places(), atomic_fractions(composition))
    return scale.cumsum(1)


def _group(m: Measurement) -> int | None:
    return m.space_group or (m.cell.space_group if m.cell else None)


def same_measurement(a: Measurement, b: Measurement) -> bool:
    """One formula from one publication, or one value that stands in two tables."""
    if np.abs(np.subtract(*fraction_matrix([a, b]))).max() > SAME_FORMULA:
        return False
    if publication(a) and publication(a) == publication(b):
        return True
    same_value = abs(a.log10_conductivity - b.log10_conductivity) <= SAME_VALUE
    return same_value and abs(a.temperature_K - b.temperature_K) <= SAME_TEMPERATURE
