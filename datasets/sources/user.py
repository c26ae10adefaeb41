"""A user's own measurements: a CSV (`formula, conductivity_S_cm, …`) and, optionally, a folder of structures."""

from pathlib import Path

import pandas as pd
from pymatgen.core import Composition

from ionscout.datasets.composition import check_elements, formula_text, parse_formula
from ionscout.datasets.errors import BadData, DataUnavailable, InvalidInput
from ionscout.datasets.sources.base import ROOM_TEMPERATURE, Measurement, Source, normal_doi
from ionscout.datasets.sources.obelix import parse_conductivity
from ionscout.datasets.structure import parse_material

# Refinements leave out light atoms and round occupancies; another compound differs by more.
LARGEST_DIFFERENCE = 0.1  # of an atomic fraction between the formula and its structure
_KINDS = ("total", "bulk", "unknown")


class UserTable(Source):
    """Rows of one CSV file.

    Columns: `formula` and `conductivity_S_cm` (a number or a bound such as <1E-10) are required;
    `id`, `structure` (file name in `cif_folder`), `temperature_K`, `family`, `doi`, `kind` (total or bulk) and
    `activation_energy_eV` are read when present.
    """

    name = "user"

    def __init__(self, csv: Path | str, cif_folder: Path | str | None = None):
        self.csv = Path(csv)
        self.cif_folder = Path(cif_folder) if cif_folder else self.csv.parent / "cifs"

    def load(self) -> list[Measurement]:
        if not self.csv.is_file():
            raise DataUnavailable(f"There is no file {self.csv}; give a CSV of formula and conductivity_S_cm.")
        try:
            table = pd.read_csv(self.csv, dtype=str, keep_default_na=False)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise BadData(f"{self.csv} cannot be read as CSV ({error}).") from None
        if not {"formula", "conductivity_S_cm"} <= set(table.columns):
            raise BadData(f"{self.csv} needs the columns formula and conductivity_S_cm (S/cm).")
        if table.empty:
            raise BadData(f"{self.csv} has no rows; add at least one measurement.")
        return [self._measurement(number, row) for number, row in enumerate(table.to_dict("records"), start=2)]

    def card(self) -> str:
        return f"# User table\n\n- Origin: {self.csv.name}, given by the user.\n- Licence: the user's own.\n"

    def _measurement(self, line: int, row: dict[str, str]) -> Measurement:
        try:
            structure = self._structure(row.get("structure", ""))
            composition = parse_formula(row["formula"])
            check_elements(composition)
            if structure is not None and not _same(composition, structure.composition):
                raise BadData(f"{row['structure']} holds {structure.composition.reduced_formula}, not {row['formula']}")
            value, censored = parse_conductivity(row["conductivity_S_cm"])
            temperature = float(row.get("temperature_K") or ROOM_TEMPERATURE)
            energy = row.get("activation_energy_eV") or None
            kind = row.get("kind") or "unknown"
            if not 100 <= temperature <= 1500:
                raise BadData(f"temperature_K is {temperature:g}, outside 100 to 1500 K (was it °C?)")
            if kind not in _KINDS:
                raise BadData(f"kind is '{kind}', not one of {', '.join(_KINDS)}")
            return Measurement(
                id=row.get("id") or str(line),
                formula=formula_text(composition),
                composition=composition,
                structure=structure,
                log10_conductivity=value,
                censored=censored,
                temperature_K=temperature,
                family=row.get("family", ""),
                doi=normal_doi(row.get("doi", "")),
                source=self.name,
                kind=kind,  # type: ignore[arg-type]  # checked above
                activation_energy_eV=float(energy) if energy else None,
            )
        except (InvalidInput, BadData, ValueError) as error:
            raise BadData(f"{self.csv.name} line {line}: {error}") from None

    def _structure(self, name: str):
        if not name:
            return None
        path = self.cif_folder / name
        if not path.is_file():
            raise BadData(f"structure file {name} is not in {self.cif_folder}")
        return parse_material(path.read_text(errors="replace")).structure


def _same(first: Composition, second: Composition) -> bool:
    elements = {*first, *second}
    return max(abs(first.get_atomic_fraction(e) - second.get_atomic_fraction(e)) for e in elements) < LARGEST_DIFFERENCE
