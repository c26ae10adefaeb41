"""Turn fitted members into what the repository ships: float16 weights with a card, and the learned hull's table."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pymatgen.core import Composition, Element
from rich.console import Console
from rich.progress import track
from safetensors import safe_open
from safetensors.torch import load_file

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.hulls.base import TableHull
from ionscout.datasets.hulls.learned import CORRECTION, NAME, TABLE, LearnedTable, write_learned
from ionscout.models.energy.network import EnergyNet, EnergyNetConfig
from ionscout.models.energy.predictor import WEIGHTS, EnergyPredictor, load_predictor, save_predictor
from ionscout.models.thermo.equilibrium import hull_energy
from ionscout.training.energy.config import FitConfig, load_config
from ionscout.training.energy.data import BATTERY_ELEMENTS, CompositionTable, load_table
from ionscout.training.energy.descent import descend
from ionscout.training.energy.fit import Fit, fit_folder, run

_SYMBOLS_PER_SYSTEM = 7  # larger systems are few and slow; their compounds stay as predicted
_MARGIN = 1e-4  # eV/atom below the hull of the others: enough to be found as a product, too little to move a voltage


def train(
    config: FitConfig | None = None,
    minutes: float | None = None,
    *,
    quiet: bool = False,
    fit: Fit = descend,
    folder: Path = WEIGHTS,
) -> str:
    """Both fits, then the shipped files: what `ionscout train energy` does; returns the version.

    Args:
        folder: as in `ship`.
        minutes: wall-clock budget of each member of each fit; the epochs of the config otherwise.
        fit: as in `fit.run`.

    A stopped run goes on where it was, from the checkpoints in the home folder.
    """
    config, table = config or load_config(), load_table()
    done = fit_folder(config, table) / "holdout-0.safetensors"
    if not done.is_file():
        run(config, holdout=True, minutes=minutes, quiet=quiet, table=table, fit=fit)
    members = run(config, holdout=False, minutes=minutes, quiet=quiet, table=table, fit=fit)
    note = f"seed {config.seed}; fitted to all compositions from the weights of a fit with a held-out part"
    return ship([member.weights for member in members], note, table, folder)


def read_member(path: Path) -> EnergyNet:
    """One fitted network, as `fit.run` leaves it."""
    with safe_open(path, "pt") as file:
        config = EnergyNetConfig(**json.loads(file.metadata()["config"]))
    network = EnergyNet(config)
    network.load_state_dict(load_file(path))
    return network.eval()


def ship(members: Sequence[Path], note: str, table: CompositionTable | None = None, folder: Path = WEIGHTS) -> str:
    """Write weights, their card and the learned hull's table; returns the version.

    Args:
        folder: of all three; by default the places in the package from which they are read.
    """
    table = load_table() if table is None else table
    z = np.unique(table.z[table.known])
    card = {
        "model": "energy GNN: composition graph, messages between all pairs of elements",
        "properties": "formation and decomposition energy (MP 2019, legacy corrections, eV/atom), PBE and measured "
        "band gap (eV), log10 of shear and bulk modulus (GPa)",
        "data": "Materials Project 2019/20 (CC BY 4.0) by way of Bartel et al., npj Comput. Mater. 6, 97 (2020), and "
        "Matbench v0.1; 'experimental_gap' by Zhuo et al., J. Phys. Chem. Lett. 9, 1668 (2018)",
        "data_sha256": table.digest,
        "compositions": int(table.known.sum()),
        "elements": [Element.from_Z(int(n)).symbol for n in z if n > 0],
        "battery_elements": list(BATTERY_ELEMENTS),
        "fit": note,
        "limits": "one number per composition, that of the ground state: polymorphs cannot be told apart; the spread "
        "between the members is not an interval; errors are in benchmarks/energy.md",
    }
    version = save_predictor([read_member(path) for path in members], card, folder)
    load_predictor.cache_clear()
    write_learned(predict_known(load_predictor(folder), table), TABLE if folder == WEIGHTS else folder / TABLE.name)
    return version


def predict_known(predictor: EnergyPredictor, table: CompositionTable) -> LearnedTable:
    """Predict the known compounds; of the unstable ones those with lithium, or of battery elements alone."""
    chosen = np.flatnonzero(table.known & (table.stable | table.lithium | table.battery))
    compositions = [parse_formula(str(formula)) for formula in table.formulas[chosen]]
    formulas = [composition.reduced_formula for composition in compositions]
    predicted = predictor.predict(compositions)
    energies, on_hull = np.round(predicted.formation_energy, 4), table.stable[chosen]
    matter = np.flatnonzero(table.lithium[chosen] | table.battery[chosen])
    shifts = np.zeros(len(chosen))
    for side in (True, False):  # first the stable ones, whose hull the others are then raised to
        rows = matter[on_hull[matter] == side]
        stable = TableHull(
            NAME, predictor.version, CORRECTION, np.array(formulas)[on_hull], (energies + shifts)[on_hull], ""
        )
        above = energies[rows] - _hull_energies([compositions[i] for i in rows], stable)
        shifts[rows] = np.nan_to_num(np.where(above > 1e-6, -above - _MARGIN, 0) if side else np.maximum(-above, 0))
    shifts = np.where(on_hull, np.floor(shifts * 1e4), np.ceil(shifts * 1e4)) / 1e4
    return LearnedTable(predictor.version, formulas, energies, shifts, np.round(predicted.band_gap, 2), on_hull)


def _hull_energies(compositions: Sequence[Composition], hull: TableHull) -> np.ndarray:
    """Energy of each composition's equilibrium, eV/atom, [n]; NaN where it has too many elements."""
    found = np.full(len(compositions), np.nan)
    systems = [sorted(el.symbol for el in composition.elements) for composition in compositions]
    order = sorted(range(len(compositions)), key=systems.__getitem__)  # one chemical system after the other
    console = Console(stderr=True)
    for i in track(order, "equilibria", console=console, disable=not console.is_terminal):
        if len(systems[i]) <= _SYMBOLS_PER_SYSTEM:
            found[i] = hull_energy(compositions[i], hull)
    return found
