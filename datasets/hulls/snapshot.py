"""The `mp-2019` hull: ground states of every Materials Project composition of 2019, legacy corrections.

Formation and decomposition energies of 85,014 compositions as collected by Bartel et al., npj Comput. Mater. 6, 97
(2020) from the Materials Project (CC BY 4.0). The file is not shipped: it is read from the data folder, else from the
user's cache, where `ionscout data pull mp-2019` puts it.
"""

import csv
import gzip
import hashlib
import io
from pathlib import Path

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.hulls.base import TableHull
from ionscout.datasets.settings import settings

NAME = "mp-2019"
CORRECTION = "Materials Project 2019/20, GGA/GGA+U, legacy corrections"
FILE = Path("mp_snapshot") / "mp_2019_formation_energies.csv.gz"
COLUMNS = ("formula", "Ef_eV_atom", "Ed_eV_atom")
ANCHORED = Path(__file__).with_name("anchored.csv")


def find_snapshot() -> Path | None:
    """The snapshot's file in the data folder or the user's cache, or None."""
    folders = [folder for folder in (settings().data_dir, settings().cache_dir) if folder is not None]
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def load_snapshot(path: Path | None = None, anchored: Path | None = ANCHORED) -> TableHull:
    """Read the snapshot, plus the phases that it lacks from the committed table of anchored energies.

    Args:
        path: the snapshot; by default the data folder's, else the cache's.
        anchored: table (formula, energy_eV_atom, …) of phases on the snapshot's scale, or None for the bare snapshot.

    Raises:
        DataUnavailable: there is no snapshot on this machine.
        BadData: the file cannot be read as one.
    """
    path = find_snapshot() if path is None else path
    if path is None or not path.is_file():
        raise DataUnavailable(
            "The hull mp-2019 is not on this machine: run `ionscout data pull mp-2019`, "
            "set IONSCOUT_DATA_DIR, or use --hull learned."
        )
    rows, digest = read_table(path)
    formulas = [row[0] for row in rows]
    energies = [row[1] for row in rows]
    provenance = [NAME] * len(rows)
    version = digest[:12]
    if anchored is not None and anchored.is_file():
        extra = read_anchored(anchored)
        formulas += [formula for formula, _ in extra]
        energies += [energy for _, energy in extra]
        provenance += ["anchored"] * len(extra)
        version += f"+anchored-{hashlib.sha256(anchored.read_bytes()).hexdigest()[:8]}"
    return TableHull(NAME, version, CORRECTION, formulas, energies, provenance)


def read_table(path: Path) -> tuple[list[tuple[str, float, float]], str]:
    """(formula, formation energy, decomposition energy) rows in eV/atom, and the file's sha256."""
    try:
        content = path.read_bytes()
        text = gzip.decompress(content).decode() if path.suffix == ".gz" else content.decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadData(f"{path.name} cannot be read as a table ({error}); pull it again.") from None
    reader = csv.reader(io.StringIO(text))
    header = next(reader, [])
    if tuple(header[: len(COLUMNS)]) != COLUMNS:
        raise BadData(f"{path.name} must start with the columns {', '.join(COLUMNS)}; pull it again.")
    try:
        rows = [(row[0], float(row[1]), float(row[2])) for row in reader if row]
    except (IndexError, ValueError):
        raise BadData(f"{path.name} has a damaged row after line {reader.line_num - 1}; pull it again.") from None
    return rows, hashlib.sha256(content).hexdigest()


def read_anchored(path: Path) -> list[tuple[str, float]]:
    """(formula, formation energy in eV/atom) of the anchored phases; lines that start with # are comments."""
    with path.open(newline="") as file:
        reader = csv.DictReader(line for line in file if not line.startswith("#"))
        try:
            return [(row["formula"].strip(), float(row["energy_eV_atom"])) for row in reader]
        except (KeyError, ValueError, AttributeError):
            raise BadData(
                f"{path.name} needs the columns formula and energy_eV_atom, with a number in each row."
            ) from None
