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
from ionscout.datasets.hulls.anchored import TABLE as ANCHORED
from ionscout.datasets.hulls.anchored import anchored_phases
from ionscout.datasets.hulls.base import TableHull
from ionscout.datasets.settings import settings

NAME = "mp-2019"
CORRECTION = "Materials Project 2019/20, GGA/GGA+U, legacy corrections"
FILE = Path("mp_snapshot") / "mp_2019_formation_energies.csv.gz"
COLUMNS = ("formula", "Ef_eV_atom", "Ed_eV_atom")


def find_snapshot() -> Path | None:
    """The snapshot's file in the data folder or the user's cache, or None."""
    folders = [folder for folder in (settings().data_dir, settings().cache_dir) if folder is not None]
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def load_snapshot(path: Path | None = None, anchored: Path | None = ANCHORED) -> TableHull:
    """Read the snapshot, plus the phases that it lacks, anchored to its own energies (`datasets.hulls.anchored`).

    Args:
        path: the snapshot; by default the data folder's, else the cache's.
        anchored: table of the reactions that anchor new phases, or None for the bare snapshot.

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
    hull = TableHull(NAME, digest[:12], CORRECTION, [row[0] for row in rows], [row[1] for row in rows], NAME)
    if anchored is None or not anchored.is_file():
        return hull
    reactions = hashlib.sha256(anchored.read_bytes()).hexdigest()
    return hull.extended(anchored_phases(hull.energy_of, anchored), f"{hull.version}+anchored-{reactions[:8]}")


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
