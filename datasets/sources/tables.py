"""Extra tables of measurements: one CSV each, cleaned row by row under rules that are counted."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from pymatgen.core import Composition

from ionscout.datasets.composition import check_elements
from ionscout.datasets.errors import BadData, BadFormula, DataUnavailable, NoLithium, UnsupportedElement
from ionscout.datasets.settings import settings
from ionscout.datasets.sources.base import Measurement, Source
from ionscout.datasets.sources.cleaning import (
    FAR_FROM_NEUTRAL,
    HIGHEST,
    HIGHEST_NEAR_ROOM,
    HIGHEST_OXIDE,
    LOWEST,
    CleaningReport,
    Tally,
    clean_number,
)
from ionscout.datasets.sources.formulas import CleanFormula, charge_imbalance, clean_formula
from ionscout.datasets.sources.repeats import contradictory, repeated

ZERO_CELSIUS = 273.15  # K
_FASTER = ("S", "Se", "N", "H", "F", "Cl", "Br", "I")  # anions that take an oxide out of the oxides' limit
Cells = dict[str, str]  # one row as read, by column


@dataclass(frozen=True)
class CleanTable:
    """The rows that cleaning left and what it did."""

    measurements: list[Measurement]
    report: CleaningReport


class Table(Source):
    """A CSV of measurements. Subclasses say where it lies, which columns it has and how one row is read."""

    location: ClassVar[str]  # below the data folder
    columns: ClassVar[tuple[str, ...]]
    about: ClassVar[str]  # the card without its counts

    def __init__(self, path: Path | str | None = None):
        self._path = Path(path) if path is not None else None

    @property
    def path(self) -> Path:
        """The CSV.

        Raises:
            DataUnavailable: no path was given and no data folder is set.
        """
        if self._path is not None:
            return self._path
        root = settings().data_dir
        if root is None:
            raise DataUnavailable(f"The {self.name} table is not shipped; set IONSCOUT_DATA_DIR to the data folder.")
        return root / self.location

    def available(self) -> bool:
        """Whether the CSV is on this machine."""
        try:
            return self.path.is_file()
        except DataUnavailable:
            return False

    def load(self) -> list[Measurement]:
        return self.clean().measurements

    def clean(self) -> CleanTable:
        """Read the table and say what was repaired, dropped and flagged.

        Raises:
            DataUnavailable: the file is not there.
            BadData: it lacks columns.
        """
        rows, tally = self._rows(), Tally()
        prepared = self.prepare(rows, tally)
        read = [(number, m) for number, row in prepared if (m := self.measurement(number, row, tally)) is not None]
        kept = _without_repeats(_named_once(read, tally), tally)
        for i in sorted({i for pair in contradictory(kept) for i in pair}):
            tally.note("contradictory", kept[i].formula)
        for m in kept:
            if not m.doi:
                tally.note("no publication", m.formula)
        return CleanTable(kept, tally.report(self.name, len(rows), len(kept)))

    def card(self) -> str:
        """Origin, licence, citation and known faults; with the counts of this copy where it can be read."""
        return self.about + ("\n## Cleaning\n\n" + self.clean().report.markdown() if self.available() else "")

    def prepare(self, rows: list[Cells], tally: Tally) -> list[tuple[int, Cells]]:
        """Row numbers and rows that are read one by one; a subclass may join or drop lines first."""
        return list(enumerate(rows, start=2))

    @abstractmethod
    def measurement(self, number: int, row: Cells, tally: Tally) -> Measurement | None:
        """Read one row, or count why not. `number` is its line in the file."""

    def _rows(self) -> list[Cells]:
        if not self.path.is_file():
            raise DataUnavailable(f"There is no {self.location}; give its path or set IONSCOUT_DATA_DIR.")
        try:
            table = pd.read_csv(self.path, dtype=str, keep_default_na=False)
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise BadData(f"{self.path} cannot be read as CSV ({error}); take the original file.") from None
        missing = [column for column in self.columns if column not in table.columns]
        if missing:
            raise BadData(f"{self.path} lacks the columns {', '.join(missing)}; take the original file.")
        return [{str(k): str(v) for k, v in row.items()} for row in table.to_dict("records")]


def read_formula(cell: str, tally: Tally) -> CleanFormula | None:
    """A lithium formula near charge neutrality, or None with the reason counted."""
    try:
        formula = clean_formula(cell)
        check_elements(formula.composition)
    except BadFormula:
        tally.note("unreadable formula", cell)
        return None
    except UnsupportedElement:
        tally.note("unsupported element", cell)
        return None
    except NoLithium:
        tally.note("no lithium", cell)
        return None
    for repair in formula.repairs:
        tally.note(repair, cell)
    if charge_imbalance(formula.composition) > FAR_FROM_NEUTRAL - 1e-6:
        tally.note("charge imbalance", cell)
        return None
    return formula


def read_number(cell: str, tally: Tally) -> float | None:
    """A plain number, or None with the reason counted."""
    try:
        number = clean_number(cell)
    except BadData:
        tally.note("unreadable number", cell or "(empty)")
        return None
    if number.repaired:
        tally.note("number characters", cell)
    return number.value


def read_conductivity(cell: str, kelvin: float, composition: Composition, tally: Tally) -> tuple[float, bool] | None:
    """(log10(σ / S cm⁻¹), censored) of a cell measured at `kelvin`, or None with the reason counted."""
    try:
        number = clean_number(cell)
    except BadData:
        number = None
    if number is None or number.value <= 0:
        tally.note("unreadable number", cell or "(empty)")
        return None
    value, bound = number.value, number.bound
    if number.repaired:
        tally.note("number characters", cell)
    if bound and value >= HIGHEST:
        tally.note("bound without its minus", cell)
        value = 1.0 / value
    if value > HIGHEST or (value > HIGHEST_NEAR_ROOM and kelvin <= 313.15):
        tally.note("beyond any solid", f"{cell} at {kelvin:g} K")
        return None
    oxide = composition["O"] and not any(composition[e] for e in _FASTER)
    if oxide and kelvin <= 333.15 and value > HIGHEST_OXIDE * (1 if kelvin <= 313.15 else 2):
        tally.note("beyond any oxide", f"{composition.reduced_formula}: {value:.3g} at {kelvin:g} K")
        return None
    if bound:
        tally.note("upper bound", cell)
    if value < LOWEST:
        tally.note("beyond measurement", cell)
        value, bound = LOWEST, True
    return float(np.log10(value)), bound


def _named_once(rows: list[tuple[int, Measurement]], tally: Tally) -> list[Measurement]:
    """Rows with their line numbers, as rows of which no two have one identifier: a model's record knows rows by it."""
    named: dict[str, Measurement] = {}
    for number, m in rows:
        if m.id in named:
            tally.note("name given twice", f"{m.id} {m.formula}")
            m = replace(m, id=f"{m.id}, line {number}")
        named[m.id] = m
    return list(named.values())


def _without_repeats(rows: list[Measurement], tally: Tally) -> list[Measurement]:
    """Drop later copies; an activation energy that only the copy had goes to the row that stays."""
    rows = list(rows)
    later = dict(repeated(rows))
    for copy, original in later.items():
        while original in later:
            original = later[original]
        rows[original] = inherit(rows[original], rows[copy])
        tally.note("repeat", f"{rows[copy].formula} {10 ** rows[copy].log10_conductivity:.3g}")
    return [m for i, m in enumerate(rows) if i not in later]


def inherit(row: Measurement, other: Measurement) -> Measurement:
    """`row` with what only `other`, a copy of the same measurement, knows."""
    changes: dict = {}
    for name in ("activation_energy_eV", "space_group"):
        if getattr(row, name) is None and getattr(other, name) is not None:
            changes[name] = getattr(other, name)
    for name in ("doi", "reference", "family"):
        if not getattr(row, name) and getattr(other, name):
            changes[name] = getattr(other, name)
    return replace(row, **changes) if changes else row
