"""The `file` hull: the user's own entries, as a table of formation energies or as pymatgen's computed entries."""

import csv
import gzip
import hashlib
import io
import json
import math
import warnings
from pathlib import Path
from typing import Any

from pymatgen.core import Composition

from ionscout.datasets.errors import BadData
from ionscout.datasets.hulls.base import TableHull

NAME = "file"
FORMULA_COLUMNS = ("formula", "composition", "reduced_formula", "pretty_formula")
ENERGY_COLUMNS = (
    "energy_eV_atom",
    "Ef_eV_atom",
    "formation_energy_eV_atom",
    "formation_energy_per_atom",
    "formation_energy",
    "energy",
    "Ef",
)
RAW_ENERGY = "energy_uncorrected_eV"  # marks entries without corrections


def load_file(path: Path, mp2020: bool | None = None) -> TableHull:
    """Read a hull from a file, plain or gzipped.

    CSV: a formula column and a column of formation energies in eV/atom, elements at 0. JSON: a list (or a mapping) of
    pymatgen `ComputedEntry` dictionaries with energies per cell; formation energies are taken against the lowest
    elemental entries in the same file, which therefore has to contain them.

    Args:
        mp2020: apply `MaterialsProject2020Compatibility` to JSON entries. By default it is applied to entries whose
            energy is called `energy_uncorrected_eV`, and otherwise the corrections in the file are used as they are.

    Raises:
        BadData: not such a file; the sentence names the row, column or element.
    """
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadData(f"{path.name} cannot be read ({error}); give a CSV or JSON file with entries.") from None
    version = hashlib.sha256(content).hexdigest()[:12]
    if text.lstrip()[:1] in ("[", "{"):
        entries = _json_entries(path.name, text)
        raw = any(RAW_ENERGY in entry for entry in entries)
        apply = raw if mp2020 is None else mp2020
        formulas, energies = _formation_energies(path.name, entries, apply)
        correction = "MaterialsProject2020Compatibility" if apply else "as given in the file"
    else:
        formulas, energies = _csv_rows(path.name, text)
        correction = "formation energies as given in the file"
    return TableHull(NAME, version, correction, formulas, energies, "file")


def _csv_rows(name: str, text: str) -> tuple[list[str], list[float]]:
    reader = csv.DictReader(io.StringIO(text))
    header = reader.fieldnames or []
    formula_column = next((column for column in FORMULA_COLUMNS if column in header), None)
    energy_column = next((column for column in ENERGY_COLUMNS if column in header), None)
    if formula_column is None or energy_column is None:
        raise BadData(
            f"{name} needs a column of formulas (formula) and one of formation energies (energy_eV_atom); "
            f"it has {', '.join(header) or 'no header'}."
        )
    formulas, energies = [], []
    for row in reader:
        try:
            energies.append(float(row[energy_column]))
            formulas.append(row[formula_column].strip())
        except (TypeError, ValueError, AttributeError):
            raise BadData(
                f"{name}, line {reader.line_num}: '{row[energy_column]}' is not an energy in eV/atom."
            ) from None
    if not formulas:
        raise BadData(f"{name} has no rows; a hull needs at least one compound.")
    return formulas, energies


def _json_entries(name: str, text: str) -> list[dict[str, Any]]:
    # Plain JSON on purpose: pymatgen's decoder would import whatever class the file names.
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadData(f"{name} is not JSON ({error}).") from None
    if isinstance(data, dict):
        data = data["entries"] if isinstance(data.get("entries"), list) else list(data.values())
    if not isinstance(data, list) or not data or not all(isinstance(entry, dict) for entry in data):
        raise BadData(f"{name} must hold a list of pymatgen ComputedEntry dictionaries.")
    return data


def _formation_energies(name: str, entries: list[dict[str, Any]], apply: bool) -> tuple[list[str], list[float]]:
    cells = [_cell(name, number, entry, corrected=not apply) for number, entry in enumerate(entries, start=1)]
    if apply:
        cells = _corrected(name, cells, entries)
    references: dict[str, float] = {}
    for composition, energy in cells:
        if len(composition) == 1:
            symbol = composition.elements[0].symbol
            references[symbol] = min(references.get(symbol, math.inf), energy / composition.num_atoms)
    formulas, energies = [], []
    for composition, energy in cells:
        missing = [element.symbol for element in composition.elements if element.symbol not in references]
        if missing:
            raise BadData(
                f"{name} has {composition.reduced_formula} but no entry of the element {missing[0]}; "
                "add its ground state, so that formation energies can be taken."
            )
        reference = sum(amount * references[element.symbol] for element, amount in composition.items())
        formulas.append(composition.formula.replace(" ", ""))
        energies.append((energy - reference) / composition.num_atoms)
    return formulas, energies


def _cell(name: str, number: int, entry: dict[str, Any], corrected: bool) -> tuple[Composition, float]:
    """Composition and energy (eV) of one cell."""
    try:
        composition = Composition(entry["composition"])
        energy = float(entry[RAW_ENERGY] if RAW_ENERGY in entry else entry["energy"])
        if corrected:
            energy += _correction(entry)
        if composition.num_atoms <= 0 or not math.isfinite(energy):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        label = entry.get("entry_id", number)
        raise BadData(f"{name}: entry {label} needs a composition and a finite energy in eV per cell.") from None
    return composition, energy


def _correction(entry: dict[str, Any]) -> float:
    """Sum of the corrections stated in an entry, eV per cell."""
    if "correction" in entry:
        return float(entry["correction"])
    return sum(
        float(item["value"]) if "value" in item else float(item["adj_per_atom"]) * float(item["n_atoms"])
        for item in entry.get("energy_adjustments", [])
    )


def _corrected(
    name: str, cells: list[tuple[Composition, float]], entries: list[dict[str, Any]]
) -> list[tuple[Composition, float]]:
    """The same cells with the Materials Project's corrections of 2020; entries that it rejects are left out."""
    from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
    from pymatgen.entries.computed_entries import ComputedEntry

    computed = []
    for (composition, energy), entry in zip(cells, entries, strict=True):
        own, given = _mapping(entry, "parameters"), _mapping(entry, "data")
        hubbards = entry.get("hubbards", own.get("hubbards")) or {}
        parameters = {"run_type": entry.get("run_type", own.get("run_type", "GGA")), "hubbards": hubbards}
        data = {"oxide_type": entry.get("oxide_type", given.get("oxide_type"))}
        if given.get("oxidation_states"):
            data["oxidation_states"] = given["oxidation_states"]
        computed.append(ComputedEntry(composition, energy, parameters=parameters, data=data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one warning for every compound whose oxidation states cannot be guessed
        kept = MaterialsProject2020Compatibility(check_potcar=False).process_entries(computed, verbose=False)
    if not kept:
        raise BadData(f"{name}: the 2020 corrections reject every entry; give their run_type and hubbards.")
    return [(entry.composition, float(entry.energy)) for entry in kept]


def _mapping(entry: dict[str, Any], key: str) -> dict[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, dict) else {}
