"""The `learned` hull: energies that the shipped energy GNN predicts for known compounds; always there, also offline.

`learned.csv.gz` is written by `training.energy.ship` from the shipped weights. It lists compounds of the Materials
Project (CC BY 4.0; names only, none of its energies) with the network's predictions:

- every compound that is on the hull there, and
- of the others those that hold lithium or battery elements alone.

Which compounds are on the hull is known too, and the table's `shift` makes the predictions agree with it (for compounds
with lithium or of battery elements alone): one that is on the hull but was predicted above it is lowered to it, one
that is not but was predicted below it is raised to it.

A test predicts a sample again with the shipped weights and compares.
"""

import csv
import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ionscout.datasets.errors import BadData
from ionscout.datasets.hulls.anchored import TABLE as ANCHORED
from ionscout.datasets.hulls.anchored import anchored_phases
from ionscout.datasets.hulls.base import TableHull

NAME = "learned"
CORRECTION = "predicted by the energy GNN on the scale of Materials Project 2019/20, legacy corrections"
TABLE = Path(__file__).with_name("learned.csv.gz")
COLUMNS = ("formula", "energy_eV_atom", "shift_eV_atom", "band_gap_eV", "on_hull")


@dataclass(frozen=True)
class LearnedTable:
    """The shipped predictions.

    Attributes:
        version: of the weights that made them.
        formulas: [n].
        energies: predicted formation energies, eV/atom, [n].
        shifts: what is added to them, eV/atom, [n]: ≤ 0 for compounds known to be on the hull, ≥ 0 for the others.
        band_gaps: predicted PBE band gaps, eV, [n].
        on_hull: known to be on the hull of the Materials Project, [n] bool.
    """

    version: str
    formulas: list[str]
    energies: np.ndarray
    shifts: np.ndarray
    band_gaps: np.ndarray
    on_hull: np.ndarray


def read_learned(path: Path = TABLE) -> LearnedTable:
    """Read the shipped table.

    Raises:
        BadData: it is missing or damaged.
    """
    try:
        with gzip.open(path, "rt", newline="") as file:
            version = file.readline().removeprefix("#").strip()
            reader = csv.reader(file)
            header = next(reader, [])
            rows = list(reader)
        if tuple(header) != COLUMNS or not version:
            raise ValueError(f"its columns are {', '.join(header)}")
        numbers = np.array([row[1:] for row in rows], dtype=float)
    except (OSError, EOFError, ValueError) as error:
        raise BadData(
            f"The predicted energies in {path.name} cannot be read ({error}); install ionscout again."
        ) from None
    return LearnedTable(
        version=version,
        formulas=[row[0] for row in rows],
        energies=numbers[:, 0],
        shifts=numbers[:, 1],
        band_gaps=numbers[:, 2],
        on_hull=numbers[:, 3] > 0,
    )


def write_learned(table: LearnedTable, path: Path = TABLE) -> None:
    """Write a table so that equal tables are equal files (no time stamp)."""
    lines = [f"#{table.version}", ",".join(COLUMNS)]
    columns = table.formulas, table.energies, table.shifts, table.band_gaps, table.on_hull
    for formula, energy, shift, gap, on_hull in zip(*columns, strict=True):
        moved = f"{shift:.4f}" if shift else "0"
        lines.append(f"{formula},{energy:.4f},{moved},{gap:.2f},{int(on_hull)}")
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))


def load_learned(path: Path = TABLE, anchored: Path | None = ANCHORED) -> TableHull:
    """The hull of the shipped predictions, with the anchored phases that it lacks.

    Raises:
        BadData: a file is missing or damaged.
    """
    table = read_learned(path)
    formulas, energies, gaps = table.formulas, table.energies + table.shifts, table.band_gaps
    hull = TableHull(NAME, table.version, CORRECTION, formulas, energies, "predicted", gaps)
    if anchored is None or not anchored.is_file():
        return hull
    extra = anchored_phases(hull.energy_of, anchored)
    version = f"{table.version}+anchored-{hashlib.sha256(anchored.read_bytes()).hexdigest()[:8]}"
    return TableHull(
        NAME,
        version,
        CORRECTION,
        [*formulas, *(phase.formula for phase in extra)],
        np.append(energies, [phase.energy for phase in extra]),
        ["predicted"] * len(formulas) + [phase.provenance for phase in extra],
        np.append(gaps, np.full(len(extra), np.nan)),
    )
