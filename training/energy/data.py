"""Compositions with their computed and measured properties, as arrays that the energy GNN is fitted to."""

import csv
import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Composition, Element

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.settings import settings
from ionscout.models.energy.network import PROPERTIES

# Lithium and the elements of its electrolytes (oxides, sulfides, halides, phosphates, nitrides), of layered, spinel
# and olivine cathodes, of alloy anodes and of coatings. 19,997 compositions of the snapshot consist of these alone.
_BATTERY = "Li H B C N O F Na Mg Al Si P S Cl Ti V Mn Fe Co Ni Zn Ga Ge Se Br Y Zr Nb In Sn Sb I La Ta W"
BATTERY_ELEMENTS = tuple(_BATTERY.split())
MAX_ELEMENTS = 9  # the largest number of elements in one composition of the snapshot

SNAPSHOT = "mp_snapshot/mp_2019_formation_energies.csv.gz"
SOURCES = {  # property -> (file, column)
    "formation_energy": (SNAPSHOT, "Ef_eV_atom"),
    "decomposition_energy": (SNAPSHOT, "Ed_eV_atom"),
    "band_gap": ("mp_properties/mp_gap.csv.gz", "target"),
    "experimental_gap": ("mp_properties/expt_gap.csv.gz", "target"),
    "log10_shear": ("mp_properties/elasticity_log10G_VRH.csv.gz", "target"),
    "log10_bulk": ("mp_properties/elasticity_log10K_VRH.csv.gz", "target"),
}
_PLAIN = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)")


@dataclass(frozen=True)
class CompositionTable:
    """All compositions of `SOURCES`, one row each.

    Attributes:
        formulas: as first met in the sources, [N].
        z: atomic numbers padded with 0, [N, 9] int64; the elements of a row come first.
        fraction: atomic fractions padded with 0, [N, 9] float32.
        targets: in the units and order of `PROPERTIES`, NaN where unknown, [N, 6] float32. Where a source has several
            rows of one composition (polymorphs) it is their median.
        digest: sha256 of the source files together.
    """

    formulas: np.ndarray
    z: np.ndarray
    fraction: np.ndarray
    targets: np.ndarray
    digest: str

    def __len__(self) -> int:
        return len(self.formulas)

    @property
    def element_count(self) -> np.ndarray:
        """Number of elements in each row, [N]."""
        return (self.z > 0).sum(1)

    @property
    def battery(self) -> np.ndarray:
        """Rows that consist of `BATTERY_ELEMENTS` alone, [N] bool."""
        numbers = [0, *(Element(symbol).Z for symbol in BATTERY_ELEMENTS)]
        return np.asarray(np.isin(self.z, numbers).all(axis=1))

    @property
    def known(self) -> np.ndarray:
        """Rows with a formation energy, that is, the compositions of the snapshot, [N] bool."""
        return np.isfinite(self.targets[:, PROPERTIES.index("formation_energy")])

    @property
    def stable(self) -> np.ndarray:
        """Rows on the snapshot's hull (decomposition energy ≤ 0), [N] bool."""
        return np.less_equal(self.targets[:, PROPERTIES.index("decomposition_energy")], 0)

    @property
    def lithium(self) -> np.ndarray:
        """Rows that contain lithium, [N] bool."""
        return (self.z == 3).any(axis=1)


def load_table(data_dir: Path | None = None) -> CompositionTable:
    """Read and join the sources; the result is kept in the user's cache until a source file changes.

    Raises:
        DataUnavailable: there is no data folder, or a file is missing in it.
    """
    folder = data_dir or settings().data_dir
    if folder is None:
        raise DataUnavailable("Training the energy GNN needs mp_snapshot/ and mp_properties/: set IONSCOUT_DATA_DIR.")
    files = sorted({folder / name for name, _ in SOURCES.values()})
    for file in files:
        if not file.is_file():
            raise DataUnavailable(
                f"{file.name} is missing in the data folder; put it back or correct IONSCOUT_DATA_DIR."
            )
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    cached = settings().cache_dir / f"energy-table-{digest[:16]}.npz"
    if not cached.is_file():
        cached.parent.mkdir(parents=True, exist_ok=True)
        formulas, z, fraction, targets = _join(folder)
        np.savez_compressed(cached, formulas=formulas, z=z, fraction=fraction, targets=targets)
    with np.load(cached, allow_pickle=False) as kept:
        return CompositionTable(kept["formulas"], kept["z"], kept["fraction"], kept["targets"], digest)


def split_holdout(table: CompositionTable, share: float, seed: int) -> np.ndarray:
    """Mark a random share of the rows as held out, [N] bool; a row is a composition, so none is on both sides."""
    return np.random.default_rng(seed).random(len(table)) < share


def _join(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    values: dict[tuple, list[list[float]]] = {}
    formulas: dict[tuple, str] = {}
    for k, name in enumerate(PROPERTIES):
        file, column = SOURCES[name]
        with gzip.open(folder / file, "rt", newline="") as handle:
            for row in csv.DictReader(handle):
                key = composition_key(row["formula"])
                if len(key) == 1 and name != "experimental_gap":
                    continue  # elements are at 0 by definition and never learned
                if len(key) <= MAX_ELEMENTS:
                    formulas.setdefault(key, row["formula"])
                    values.setdefault(key, [[] for _ in PROPERTIES])[k].append(float(row[column]))
    z = np.zeros((len(values), MAX_ELEMENTS), dtype=np.int64)
    fraction = np.zeros((len(values), MAX_ELEMENTS), dtype=np.float32)
    targets = np.full((len(values), len(PROPERTIES)), np.nan, dtype=np.float32)
    for i, (key, found) in enumerate(values.items()):
        z[i, : len(key)] = [number for number, _ in key]
        fraction[i, : len(key)] = [share for _, share in key]
        targets[i] = [np.median(v) if v else np.nan for v in found]
    return np.array([formulas[key] for key in values]), z, fraction, targets


def composition_key(formula: str) -> tuple[tuple[int, float], ...]:
    """(atomic number, atomic fraction rounded to 6 decimals), sorted: equal for equal compositions."""
    pairs = _PLAIN.findall(formula)
    if "".join(a + b for a, b in pairs) == formula:
        amounts: dict[str, float] = {}
        for symbol, number in pairs:
            amounts[symbol] = amounts.get(symbol, 0.0) + (float(number) if number else 1.0)
    else:
        amounts = {element.symbol: amount for element, amount in Composition(formula).items()}
    total = sum(amounts.values())
    return tuple(sorted((Element(symbol).Z, round(amount / total, 6)) for symbol, amount in amounts.items()))
