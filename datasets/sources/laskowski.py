"""Laskowski et al., Energy Environ. Sci. 16, 1264 (2023): conductivities and activation energies, read from a PDF."""

from pathlib import Path

import pandas as pd

from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.cleaning import FAR_FROM_NEUTRAL, Tally
from ionscout.datasets.sources.formulas import charge_imbalance, clean_formula
from ionscout.datasets.sources.tables import Cells, Table, read_conductivity, read_formula, read_number

ROOM = 298.15  # K; the table says room temperature
PLAUSIBLE_ENERGY = (0.02, 2.5)  # eV


class Laskowski(Table):
    """Rows of `laskowski_2023.csv`. Publications are numbers; OBELiX, which cites them too, tells most DOIs."""

    name = "laskowski"
    location = "conductivity/laskowski_2023.csv"
    columns = ("formula", "sigma_RT_S_cm", "Ea_eV", "space_group_number", "icsd_id", "reference_number")

    def __init__(self, path: Path | str | None = None, obelix_table: Path | str | None = None):
        """Args: obelix_table: OBELiX's `train.csv`, to translate reference numbers into DOIs; found if None."""
        super().__init__(path)
        self._obelix = Path(obelix_table) if obelix_table is not None else None
        self._dois: dict[str, str] | None = None

    def prepare(self, rows: list[Cells], tally: Tally) -> list[tuple[int, Cells]]:
        """Put formulas torn over two lines together, then drop lines that hold no value."""
        lines: list[tuple[int, Cells]] = []
        for number, row in enumerate(rows, start=2):
            if _has_value(row):
                lines.append((number, row))
                continue
            above = lines[-1][1] if lines and lines[-1][0] == number - 1 else None
            joined = above["formula"] + row["formula"] if above is not None else ""
            if above is not None and not _balanced(above["formula"]) and _balanced(joined):
                tally.note("formula over two lines", joined)
                lines[-1] = (lines[-1][0], above | {"formula": joined})
            else:
                tally.note("no value", row["formula"])
        return lines

    def measurement(self, number: int, row: Cells, tally: Tally) -> Measurement | None:
        formula = read_formula(row["formula"], tally)
        if formula is None:
            return None
        sigma, energy_cell = _blank(row["sigma_RT_S_cm"]), _blank(row["Ea_eV"])
        value = read_conductivity(sigma, ROOM, formula.composition, tally) if sigma else None
        energy = read_number(energy_cell, tally) if energy_cell else None
        if energy is not None and not PLAUSIBLE_ENERGY[0] <= energy <= PLAUSIBLE_ENERGY[1]:
            tally.note("implausible energy", energy_cell)
            energy = None
        if value is None and energy is None:
            return None
        reference = row["reference_number"].strip()
        return Measurement(
            id=str(number),
            formula=formula.text,
            composition=formula.composition,
            structure=None,
            log10_conductivity=float("nan") if value is None else value[0],
            censored=value is not None and value[1],
            temperature_K=ROOM,
            doi=self._doi(reference),
            reference=f"laskowski:{reference}" if reference else "",
            source=self.name,
            activation_energy_eV=energy,
            space_group=_number(row["space_group_number"]),
        )

    def _doi(self, reference: str) -> str:
        if self._dois is None:
            self._dois = _reference_dois(self._obelix)
        return self._dois.get(reference, "")

    about = """# Laskowski et al. 2023

- Origin: Laskowski, McHaffie, See, *Identification of potential solid-state Li-ion conductors with semi-supervised
  learning*, Energy Environ. Sci. 16, 1264 (2023), doi 10.1039/D2EE03499A; table of the supplement, read from the PDF.
- Licence: CC BY 4.0 (redistributed with OBELiX). Not shipped with ionscout; read from `IONSCOUT_DATA_DIR/conductivity`.
- Content: composition, room-temperature conductivity, activation energy, space group; publications by number, most
  of which OBELiX translates into DOIs. Whether a conductivity is the bulk or the total one is not said.
- Known faults: long formulas are cut or torn over two lines; lost decimal points, zeros for O, spaces inside
  formulas; a bound that lost the minus of its exponent; values extrapolated to 1e-24 S/cm.
"""


def _reference_dois(table: Path | None) -> dict[str, str]:
    """DOI of each reference number, from OBELiX's training table; the commonest where it gives two."""
    root = settings().data_dir
    path = table if table is not None else root / "obelix" / "train.csv" if root is not None else None
    if path is None or not path.is_file():
        return {}
    known = pd.read_csv(path, usecols=["Laskowski ID", "DOI"]).dropna()
    commonest = known.groupby("Laskowski ID")["DOI"].agg(lambda dois: dois.str.lower().mode().iloc[0])
    return {f"{float(number):g}": str(doi).strip() for number, doi in commonest.items()}  # type: ignore[arg-type]


def _has_value(row: Cells) -> bool:
    return bool(_blank(row["sigma_RT_S_cm"]) or _blank(row["Ea_eV"]))


def _blank(cell: str) -> str:
    """The cell, empty where a dash stands for nothing."""
    return "" if cell.strip() in {"-", "–", "—", "−"} else cell.strip()


def _balanced(formula: str) -> bool:
    try:
        return charge_imbalance(clean_formula(formula).composition) < FAR_FROM_NEUTRAL
    except InvalidInput:
        return False


def _number(cell: str) -> int | None:
    return int(cell) if cell.strip().isdigit() and 1 <= int(cell) <= 230 else None
