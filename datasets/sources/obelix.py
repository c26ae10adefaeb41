"""OBELiX: room-temperature conductivities with crystal structures (Therrien et al., Digital Discovery 2026).

Two layouts are read: a folder with `train.csv` and/or `test.csv` and `cifs/<ID>.cif`, and the one that the
PyPI package `obelix-data` downloads (`all.csv`, `test.csv` or `test_idx.csv`, `all_randomized_cifs/`).
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pymatgen.core import Structure

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.errors import BadData, DataUnavailable, InvalidInput
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import Kind, Measurement, Source, normal_doi
from ionscout.datasets.structure import ConventionalCell, parse_material

CONDUCTIVITY = "Ionic conductivity (S cm-1)"
LATTICE = ["a", "b", "c", "alpha", "beta", "gamma"]
_REQUIRED = ["ID", "Reduced Composition", CONDUCTIVITY, "Family", "DOI", "Space group #", "Z", *LATTICE]
_CIF_FOLDERS = ("cifs", "anon_cifs", "all_randomized_cifs", "all_cifs")

# The data set spells some families in several ways; one name each.
_FAMILIES = {
    "argyrodites": "argyrodite",
    "perovskites": "perovskite",
    "cholorides": "halide",
    "chlorides": "halide",
    "halides": "halide",
    "fluorides": "halide",
    "phosphates": "phosphate",
    "antiperovskite": "anti-perovskite",
    "garnet-like": "garnet",
    "hydrides": "borohydride",
    "sulfides": "sulfide",
    "oxides": "oxide",
    "nitrides": "nitride",
}


class Obelix(Source):
    """Rows of an OBELiX folder; `part` chooses the official training or test rows."""

    name = "obelix"

    def __init__(self, folder: Path | str | None = None, part: Literal["train", "test"] = "train"):
        self.folder = Path(folder) if folder is not None else default_folder()
        self.part = part

    def load(self) -> list[Measurement]:
        rows = self._table()
        missing = [column for column in _REQUIRED if column not in rows.columns]
        if missing:
            raise BadData(f"{self.folder} lacks the OBELiX columns {', '.join(missing)}; take the original files.")
        cifs = next((self.folder / name for name in _CIF_FOLDERS if (self.folder / name).is_dir()), None)
        return [self._measurement(row, cifs) for _, row in rows.iterrows()]

    def has_part(self) -> bool:
        """Whether this part's rows are in the folder."""
        try:
            return len(self._table()) > 0
        except DataUnavailable:
            return False

    def card(self) -> str:
        return _CARD

    def _table(self) -> pd.DataFrame:
        own, everything = self.folder / f"{self.part}.csv", self.folder / "all.csv"
        if everything.is_file():  # the layout of obelix-data: one table and the list of test IDs
            listing = next((p for n in ("test.csv", "test_idx.csv") if (p := self.folder / n).is_file()), None)
            if listing is None:
                raise DataUnavailable(f"{self.folder} has all.csv but no test.csv that tells the official split.")
            table, test_ids = _read(everything), set(_read(listing)["ID"])
            return table[table["ID"].isin(test_ids) == (self.part == "test")]
        if not own.is_file():
            raise DataUnavailable(f"{self.folder} has no {own.name}; give a folder with the OBELiX tables.")
        return _read(own)

    def _measurement(self, row: pd.Series, cifs: Path | None) -> Measurement:
        value, censored = parse_conductivity(str(row[CONDUCTIVITY]))
        family = str(row["Family"]).strip() if pd.notna(row["Family"]) else ""
        total, bulk = _given(row, "IC (Total)"), _given(row, "IC (Bulk)")
        kind: Kind = "total" if total else "bulk" if bulk else "unknown"
        return Measurement(
            id=str(row["ID"]),
            formula=str(row["Reduced Composition"]),
            composition=parse_formula(str(row["Reduced Composition"])),
            structure=_structure(cifs, str(row["ID"])),
            log10_conductivity=value,
            censored=censored,
            family=_FAMILIES.get(family, family),
            doi=normal_doi(str(row["DOI"])),
            source=self.name,
            kind=kind,
            cell=_cell(row),
            log10_bulk=parse_conductivity(str(row["IC (Bulk)"]))[0] if total and bulk else None,
        )


def default_folder() -> Path:
    """`obelix/` in the data folder.

    Raises:
        DataUnavailable: when no data folder is set.
    """
    root = settings().data_dir
    if root is None or not (root / "obelix").is_dir():
        raise DataUnavailable("OBELiX is not on this machine; set IONSCOUT_DATA_DIR or give --data DIR.")
    return root / "obelix"


def parse_conductivity(text: str) -> tuple[float, bool]:
    """Turn a conductivity cell (S/cm) into (log10 value, censored); `<1E-10` is an upper bound.

    Raises:
        BadData: for anything that is not a positive number or bound.
    """
    cleaned = text.strip().replace("−", "-")
    censored = cleaned.startswith("<")
    try:
        value = float(cleaned.lstrip("<"))
    except ValueError:
        value = float("nan")
    if not (np.isfinite(value) and value > 0):
        raise BadData(f"'{text}' is not a conductivity in S/cm; write a positive number such as 1.2e-4 or <1E-10.")
    return float(np.log10(value)), censored


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype={"ID": str, CONDUCTIVITY: str})
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError) as error:
        raise BadData(f"{path} cannot be read as a table ({error}); take the original file.") from None


def _cell(row: pd.Series) -> ConventionalCell | None:
    numbers = [float(row[column]) for column in ("Space group #", "Z", *LATTICE)]
    if not np.all(np.isfinite(numbers)):
        return None
    atoms = numbers[1] * parse_formula(str(row["Reduced Composition"])).num_atoms
    return ConventionalCell(int(numbers[0]), tuple(numbers[2:]), atoms)


def _given(row: pd.Series, column: str) -> bool:
    return column in row.index and pd.notna(row[column])


def _structure(cifs: Path | None, entry: str) -> Structure | None:
    """The row's crystal, or None. A few framework files omit the lithium; the row's formula has it."""
    path = cifs / f"{entry}.cif" if cifs else None
    if path is None or not path.is_file():
        return None
    try:
        return parse_material(path.read_text(), "cif", need_lithium=False).structure
    except InvalidInput:
        return None


_CARD = """# OBELiX

- Origin: Therrien et al., *OBELiX: a curated dataset of crystal structures and experimentally measured ionic
  conductivities for lithium solid-state electrolytes*, Digital Discovery 2026, doi 10.1039/D5DD00441A.
- Licence: CC BY 4.0. Not shipped with ionscout; read from `IONSCOUT_DATA_DIR/obelix` or `--data`.
- Content: 599 compositions, official split 478 train / 121 test; about half with a CIF, most of them disordered.
- Label: room-temperature conductivity, the total one where both are known; `<1E-10` and `<1E-8` are upper bounds.
- Known faults: published CIFs carry random noise on the positions; seven training CIFs hold no lithium
  (refinements of the framework alone; the formula of the row is right); families are spelled in several ways
  (unified on reading).
"""
