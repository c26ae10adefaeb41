"""Energies of the reactions that anchor phases which the known hulls lack (design: never mix energy scales).

`python -m ionscout.training.anchoring` builds every structure of `prototypes.yaml`, relaxes it with CHGNet (about a
quarter of an hour on one core), and writes `datasets/hulls/anchored.csv` and `anchored_structures/*.cif`.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import yaml
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.io.cif import CifWriter
from rich.console import Console
from rich.progress import track

from ionscout.datasets.errors import BadData
from ionscout.datasets.hulls.anchored import TABLE, parse_reaction
from ionscout.models.potential.base import Potential, RelaxedStructure
from ionscout.models.potential.chgnet import CHGNetPotential

PROTOTYPES = Path(__file__).with_name("prototypes.yaml")
STRUCTURES = TABLE.with_name("anchored_structures")

# Same anions, same oxidation states on both sides; where a structure with the same groups is at hand (thiogermanate,
# sulfite, dimeric pentachlorides) it is the reference, since the potential's errors then cancel best.
REACTIONS = {
    "Li3YCl6": "3 LiCl + YCl3 -> Li3YCl6",
    "LiYCl4": "LiCl + YCl3 -> LiYCl4",
    "Li2ZrCl6": "2 LiCl + ZrCl4 -> Li2ZrCl6",
    "LiTaCl6": "LiCl + TaCl5 -> LiTaCl6",
    "LiNbOCl4": "LiCl + NbOCl3 -> LiNbOCl4",
    "LiTaOCl4": "LiNbOCl4 + TaCl5 -> LiTaOCl4 + NbCl5",
    "Li2SiS3": "Li2S + SiS2 -> Li2SiS3",
    "Li4SiS4": "2 Li2S + SiS2 -> Li4SiS4",
    "Li2GeS3": "Li4GeS4 -> Li2GeS3 + Li2S",
    "Li2SO3": "Na2SO3 + Li2O -> Li2SO3 + Na2O",
}


@dataclass(frozen=True)
class GroundState:
    """The lowest of a formula's relaxed prototypes."""

    formula: str
    prototype: str
    relaxed: RelaxedStructure


def build(prototype: dict, seed: int = 0) -> Structure:
    """One primitive cell of a prototype; `shake` (Å) moves the atoms off symmetry so that they can leave it."""
    lattice = Lattice.from_parameters(*prototype["cell"])
    species, positions = [s[0] for s in prototype["sites"]], [s[1:] for s in prototype["sites"]]
    structure = Structure.from_spacegroup(prototype["group"], lattice, species, positions).get_primitive_structure()
    if "shake" in prototype:
        structure.perturb(prototype["shake"], seed=seed)
    return structure


def ground_states(potential: Potential, formulas: list[str], console: Console | None = None) -> dict[str, GroundState]:
    """Relax all prototypes of each formula and keep the lowest.

    Raises:
        BadData: a formula has no prototype, or none of its relaxations converged.
    """
    known = yaml.safe_load(PROTOTYPES.read_text())
    best: dict[str, GroundState] = {}
    shown = console or Console(stderr=True)
    for formula in track(formulas, "relaxing", console=shown, disable=not shown.is_terminal):
        if formula not in known:
            raise BadData(f"There is no prototype of {formula} in {PROTOTYPES.name}; add one.")
        for prototype in known[formula]:
            relaxed = potential.relax(build(prototype), force=0.05, steps=500)
            shown.print(f"{formula:10} {prototype['type']:60.60} {relaxed.energy:9.4f} eV/atom, {relaxed.steps} steps")
            if relaxed.converged and (formula not in best or relaxed.energy < best[formula].relaxed.energy):
                best[formula] = GroundState(formula, prototype["type"], relaxed)
        if formula not in best:
            raise BadData(f"No prototype of {formula} relaxed; look at its starting structure in {PROTOTYPES.name}.")
    return best


def reaction_energy(reaction: str, formula: str, states: dict[str, GroundState]) -> float:
    """Energy of a reaction on the potential's scale, eV per atom of `formula`."""
    amounts = parse_reaction(reaction)
    total = sum(-n * Composition(f).num_atoms * states[f].relaxed.energy for f, n in amounts.items())
    return total / (-amounts[formula] * Composition(formula).num_atoms)


def write(table: Path = TABLE, structures: Path = STRUCTURES) -> None:
    """Relax everything and write the table and the structures of the new phases."""
    potential = CHGNetPotential()
    needed = sorted({f for reaction in REACTIONS.values() for f in parse_reaction(reaction)})
    states = ground_states(potential, needed)
    structures.mkdir(exist_ok=True)
    with table.open("w", newline="") as file:
        file.write("# Written by `python -m ionscout.training.anchoring`; energies are per atom of the new phase.\n")
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["formula", "reaction", "delta_E_eV_atom", "structure", "note"])
        for formula, reaction in REACTIONS.items():
            state = states[formula]
            CifWriter(state.relaxed.structure).write_file(structures / f"{formula}.cif")
            delta = reaction_energy(reaction, formula, states)
            note = f"{state.prototype}; {potential.name} {potential.version}"
            rows.writerow([formula, reaction, f"{delta:.5f}", f"{formula}.cif", note])


if __name__ == "__main__":
    write()
