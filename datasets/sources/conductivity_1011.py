"""The 1,011-row table: conductivities gathered from other tables, with many copying errors."""

from functools import cached_property
from pathlib import Path

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.composition import atomic_fractions
from ionscout.datasets.errors import BadData, DataUnavailable, InvalidInput
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.cleaning import Tally, clean_number
from ionscout.datasets.sources.formulas import clean_formula
from ionscout.datasets.sources.liverpool import AMBIGUOUS_CELSIUS, Liverpool
from ionscout.datasets.sources.repeats import SAME_FORMULA, SAME_VALUE
from ionscout.datasets.sources.tables import ZERO_CELSIUS, Cells, Table, read_conductivity, read_formula, read_number

SAME_COLUMN = 0.01  # decades between Cond and log_cond: rounding stays below 0.001, the errors start at 0.3
_HALOGENS, _CHALCOGENS = ("F", "Cl", "Br", "I"), ("S", "Se", "Te")
_NEEDS = {"halide": _HALOGENS, "sulfide": _CHALCOGENS, "hydride": ("H",), "garnet": ("O",)}


class Conductivity1011(Table):
    """Rows of `conductivity_1011.csv`, checked against the Liverpool table from which many were copied.

    A temperature is °C when Liverpool has the same composition at that very number of °C; or, with or without
    Liverpool, when it lies below 273.15 and has two decimals at most: what was really measured in the cold was read
    off Arrhenius plots and carries six.
    """

    name = "conductivity-1011"
    location = "conductivity/conductivity_1011.csv"
    columns = ("Formula", "Cond", "log_cond", "Temp", "Family", "DOI")

    def __init__(self, path: Path | str | None = None, liverpool: Path | str | None = None):
        super().__init__(path)
        self._liverpool = Liverpool(liverpool)

    def measurement(self, number: int, row: Cells, tally: Tally) -> Measurement | None:
        formula = read_formula(row["Formula"], tally)
        given = read_number(row["Temp"], tally)
        if formula is None or given is None:
            return None
        _check_family(row["Family"], formula.composition, tally)
        original = self._copied_from(formula.composition, given)
        celsius = original is not None or _looks_like_celsius(row["Temp"], given)
        kelvin = given + ZERO_CELSIUS if celsius else given
        if celsius:
            tally.note("celsius in kelvin", f"{formula.text} at {given:g}")
        if original is not None and AMBIGUOUS_CELSIUS[0] <= given <= AMBIGUOUS_CELSIUS[1] and given != 300.0:
            tally.note("kelvin or celsius", f"{formula.text} at {given:g}")
            return None
        value = read_conductivity(row["Cond"], kelvin, formula.composition, tally)
        logarithm = read_number(row["log_cond"], tally)
        if value is None or logarithm is None:
            return None
        if abs(value[0] - logarithm) > SAME_COLUMN and not value[1]:
            tally.note("columns disagree", f"{row['Cond']} and log {row['log_cond']}")
            return None
        if original is not None and _slipped(value[0], original):
            tally.note("power of ten", f"{formula.text}: {row['Cond']} for {10 ** original[0]:.3g}")
            return None
        return Measurement(
            id=str(number),
            formula=formula.text,
            composition=formula.composition,
            structure=None,
            log10_conductivity=value[0],
            censored=value[1],
            temperature_K=kelvin,
            doi=_doi(row["DOI"]),
            source=self.name,
        )

    def _copied_from(self, composition: Composition, number: float) -> np.ndarray | None:
        """log10 σ [m] of Liverpool's rows of this composition at this number of °C, above 60; None without any.

        Below 60 a number is nobody's idea of kelvin in either table.
        """
        fractions, celsius, values = self._originals
        if not len(celsius) or number < 60:
            return None
        same = np.abs(celsius - number) < 0.01
        same &= np.abs(fractions - atomic_fractions(composition)).max(1) <= SAME_FORMULA
        return values[same] if same.any() else None

    @cached_property
    def _originals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Liverpool as printed, cleaned of nothing: fractions [n, 95], °C [n], log10 σ [n]."""
        rows = []
        try:
            for row in self._liverpool._rows():
                try:
                    vector = atomic_fractions(clean_formula(row["composition"]).composition)
                    rows.append((vector, float(row["temperature"]), np.log10(clean_number(row["target"]).value)))
                except (InvalidInput, BadData, ValueError):
                    continue  # counted where Liverpool itself is read
        except DataUnavailable:
            pass
        if not rows:
            return np.zeros((0, 95)), np.zeros(0), np.zeros(0)
        return np.stack([r[0] for r in rows]), np.array([r[1] for r in rows]), np.array([r[2] for r in rows])

    about = """# The 1,011-row conductivity table

- Origin: github.com/john-doe304/Ionic-Conductivity-Prediction, a compilation of other tables and of Arrhenius plots.
- Licence: MIT. Not shipped with ionscout; read from `IONSCOUT_DATA_DIR/conductivity`.
- Content: composition, conductivity, temperature, DOI; no structures. Bulk or total is not said.
- Known faults: temperatures in °C inside the K column; `Family` calls most oxides halides and is not used; the two
  conductivity columns disagree in some rows; powers of ten slipped against the original; of the
  measurements that OBELiX or Liverpool hold too, every fifth or sixth carries another DOI here, so a leak check must
  compare compositions and values as well.
"""


def _doi(cell: str) -> str:
    """The last DOI of a cell that may hold several, or none (one row repeats its formula there)."""
    dois = [part.strip().lower() for part in cell.split("|")]
    return next((doi for doi in reversed(dois) if doi.startswith("10.")), "")


def _looks_like_celsius(cell: str, number: float) -> bool:
    decimals = len(cell.strip().partition(".")[2].rstrip("0"))
    return number < ZERO_CELSIUS and decimals <= 2


def _slipped(value: float, originals: np.ndarray) -> bool:
    """Whether the value misses every original but has the digits of one."""
    apart = value - originals
    if (np.abs(apart) <= SAME_VALUE).any():
        return False
    return bool((np.abs(apart - np.round(apart)) <= SAME_VALUE / 2).any())


def _check_family(label: str, composition: Composition, tally: Tally) -> None:
    needed = _NEEDS.get(label.strip().lower())
    if needed is not None and not any(composition[element] for element in needed):
        tally.note("family label", f"{label}: {composition.reduced_formula}")
