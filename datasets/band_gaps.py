"""Band gaps of known compounds: a small table with references, and the Materials Project's where it is present."""

import csv
import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median

from pymatgen.core import Composition

from ionscout.datasets.errors import BadData
from ionscout.datasets.hulls.amounts import amounts_of, composition_key, parse_amounts
from ionscout.datasets.settings import settings

TABLE = Path(__file__).with_name("band_gaps.csv")
MP_FILE = Path("mp_properties") / "mp_gap.csv.gz"
PBE, EXPERIMENTAL = "PBE", "experimental"

Key = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class BandGap:
    """A band gap in eV and where it comes from.

    Attributes:
        kind: "PBE" or "experimental"; PBE gaps are too small by a third to a half.
    """

    value: float
    kind: str
    source: str


def tabulated_gap(composition: Composition) -> BandGap | None:
    """From the table that is shipped: common products of decomposition, each with its reference.

    Raises:
        BadData: the table is damaged.
    """
    return _table(TABLE).get(composition_key(amounts_of(composition)))


def materials_project_gap(composition: Composition) -> BandGap | None:
    """PBE gap of the Materials Project, the median over its polymorphs; None without the data folder or the compound.

    The table names compositions, not structures; a single polymorph (often a high-energy one computed as a metal)
    would decide wrongly where the lowest were taken.
    """
    folder = settings().data_dir
    if folder is None or not (folder / MP_FILE).is_file():
        return None
    values = _materials_project(folder / MP_FILE).get(composition_key(amounts_of(composition)))
    if values is None:
        return None
    polymorphs = "" if len(values) == 1 else f", median of {len(values)} polymorphs"
    return BandGap(median(values), PBE, f"Materials Project, PBE{polymorphs}")


@lru_cache(maxsize=2)
def _table(path: Path) -> dict[Key, BandGap]:
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        found = {}
        for row in rows:
            if row["kind"] not in (PBE, EXPERIMENTAL):
                raise ValueError(f"{row['formula']} has the kind {row['kind']}")
            gap = BandGap(float(row["band_gap_eV"]), row["kind"], row["source"])
            found[composition_key(parse_amounts(path.name, row["formula"]))] = gap
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BadData(f"The band gaps in {path.name} cannot be read ({error}); install ionscout again.") from None
    return found


@lru_cache(maxsize=1)
def _materials_project(path: Path) -> dict[Key, list[float]]:
    found: dict[Key, list[float]] = {}
    try:
        with gzip.open(path, "rt", newline="") as file:
            for row in csv.DictReader(file):
                key = composition_key(parse_amounts(path.name, row["formula"]))
                found.setdefault(key, []).append(float(row["target"]))
    except (OSError, EOFError, KeyError, TypeError, ValueError) as error:
        raise BadData(f"{path.name} cannot be read as a table of band gaps ({error}); replace it.") from None
    return found
