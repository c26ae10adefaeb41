"""Crystals without a measured conductivity and what is known of them: what a crystal encoder can pre-train on."""

import gzip
import io
import json
import math
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from pymatgen.analysis.phase_diagram import PhaseDiagram
from pymatgen.core import Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry

from ionscout.datasets.composition import formula_text
from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.graph import CrystalData, crystal_graph
from ionscout.datasets.hulls.snapshot import FILE as SNAPSHOT
from ionscout.datasets.hulls.snapshot import read_table
from ionscout.datasets.settings import settings
from ionscout.training.energy.data import composition_key

PROPERTIES = ("formation energy (eV/atom)", "log10 bulk modulus (GPa)", "log10 shear modulus (GPa)")
BINARIES = "structures/matcalc_mp-binary-pbe-elasticity-2025.1.json.gz"
PHONONS = "structures/alexandria-binary-pbe-phonon-2025.1.json.gz"
CIFS = "structures/lemat_genbench_baseline_mp_2473cif.tar.gz"
FRAMES = "structures/mattersim_mptrj-random-1k.xyz.gz"
ENTRIES = ("mp_entries/Fe_Li_O_P_entries.json.gz", "mp_entries/emmet_Li-Fe-O.json.gz")
MOST_SITES, MOST_EDGES = 100, 6000  # of one graph; the few larger ones would decide the time of a batch
LOWEST, HIGHEST = -6.0, 3.0  # eV/atom; beyond, an entry has lost its reference


@dataclass(frozen=True)
class Crystal:
    """One crystal; its graph carries `target` [1, 3], the `PROPERTIES`, NaN where unknown."""

    structure: Structure
    graph: CrystalData


def shared_crystals(limit: int | None = None, on_crystal: Callable[[], None] = lambda: None) -> list[Crystal]:
    """All crystals under `structures/` and `mp_entries/` of the data folder.

    Formation energies are the entries' own where they have one, else the snapshot's of the composition's ground state;
    moduli come with the binaries.

    Args:
        limit: read at most this many of every file.

    Raises:
        DataUnavailable: without a data folder, or with a file missing.
        BadData: a file cannot be read.
    """
    folder = settings().data_dir
    if folder is None:
        raise DataUnavailable("Pre-training needs structures/ and mp_entries/: set IONSCOUT_DATA_DIR.")
    for name in (BINARIES, PHONONS, CIFS, FRAMES, *ENTRIES, str(SNAPSHOT)):
        if not (folder / name).is_file():
            raise DataUnavailable(f"{name} is missing in the data folder; put it back or correct IONSCOUT_DATA_DIR.")
    energies = {composition_key(formula): energy for formula, energy, _ in read_table(folder / SNAPSHOT)[0]}
    crystals = []
    try:
        for source in (_cifs, *(_entries(name) for name in ENTRIES), _frames, _phonons, _binaries):
            for number, (structure, energy, bulk, shear) in enumerate(source(folder)):
                if number == limit:
                    break
                if len(structure) > MOST_SITES:
                    continue
                if energy is None:
                    key = composition_key(formula_text(structure.composition.element_composition))
                    energy = energies.get(key, math.nan)
                graph = crystal_graph(structure)
                if graph.edge_index.shape[1] > MOST_EDGES:
                    continue
                known = energy if LOWEST < energy < HIGHEST else math.nan
                graph.target = torch.tensor([[known, _log(bulk), _log(shear)]])
                crystals.append(Crystal(structure, graph))
                on_crystal()
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError) as error:
        raise BadData(f"The shared crystals cannot be read ({error}); put the files back as they were.") from None
    return crystals


Row = tuple[Structure, float | None, float, float]  # energy (None: the snapshot's), bulk and shear modulus


def _binaries(folder: Path) -> Iterator[Row]:
    for row in _json(folder / BINARIES):
        yield Structure.from_dict(row["structure"]), None, row["bulk_modulus_vrh"], row["shear_modulus_vrh"]


def _phonons(folder: Path) -> Iterator[Row]:
    for row in _json(folder / PHONONS):
        yield Structure.from_dict(row["structure"]), None, math.nan, math.nan


def _cifs(folder: Path) -> Iterator[Row]:
    with tarfile.open(folder / CIFS) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member) if member.name.endswith(".cif") else None
            if content is not None:
                yield Structure.from_str(content.read().decode(), fmt="cif"), None, math.nan, math.nan


def _frames(folder: Path) -> Iterator[Row]:
    """Frames of relaxations: not at rest, so without a formation energy."""
    from ase.io import read  # comes with CHGNet

    with gzip.open(folder / FRAMES, "rt") as file:
        frames = read(io.StringIO(file.read()), index=":", format="extxyz")
    for frame in frames:
        atoms = frame.get_chemical_symbols(), frame.get_scaled_positions()
        yield Structure(frame.cell[:], *atoms), math.nan, math.nan, math.nan


def _entries(name: str) -> Callable[[Path], Iterator[Row]]:
    def rows(folder: Path) -> Iterator[Row]:
        entries = [ComputedStructureEntry.from_dict(row) for row in _json(folder / name)]
        diagram = PhaseDiagram(entries)
        for entry in entries:
            energy = float(diagram.get_form_energy_per_atom(entry))
            yield entry.structure.copy().remove_oxidation_states(), energy, math.nan, math.nan

    return rows


def _json(path: Path) -> list[dict]:
    with gzip.open(path, "rt") as file:
        return json.load(file)


def _log(modulus: float) -> float:
    return math.log10(modulus) if modulus > 1 else math.nan  # softer ones, and negative ones, are failed calculations
