"""The equilibrium engine against pymatgen on the same phases: windows, closed and open interfaces."""

import random
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PhaseDiagram
from pymatgen.core import Composition

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.hulls import Hull, load_hull
from ionscout.models.thermo.equilibrium import stated_formula, stated_unit
from ionscout.models.thermo.interface import interface
from ionscout.models.thermo.window import window
from ionscout.training.benchmarks.oracle import (
    OracleInterface,
    grand_diagram,
    oracle_interface,
    oracle_open_interface,
    oracle_window,
    phase_diagram,
)
from ionscout.training.benchmarks.tally import TOLERANCE, Agreement, Case, Tally
from ionscout.training.benchmarks.thermo_report import table, write_report

# Chemical systems and how many pairs are drawn from each; three of them have eight elements.
SYSTEMS = (
    ("Li P S", 20),
    ("Li P S Cl", 25),
    ("Li O P Co", 30),
    ("Li La Zr O", 25),
    ("Li F Al O", 25),
    ("Li Nb O P S", 30),
    ("Li Y Cl O Mn", 25),
    ("Li Ge P S Ti O", 30),
    ("Li Ti Al P O S", 25),
    ("Li La Zr O Ni Mn Co", 25),
    ("Li Ge P S O Co Ni Mn", 30),
    ("Li P S Cl O Co Ni Mn", 30),
    ("Li La Ti Al P O Fe S", 30),
)
VOLTAGES = (0.0, 2.5, 4.2)  # lithium metal, inside the window of most sulfides, a charged cathode
# Electrolytes and cathodes that are no phases of the snapshot, with fractional amounts.
FRACTIONAL = ("Li9.54Si1.74P1.44S11.7Cl0.3", "Li6.4La3Zr1.4Ta0.6O12", "Li1.5Al0.5Ti1.5(PO4)3", "Li0.5CoO2")


@dataclass(frozen=True)
class OracleResult:
    hull: str
    hull_version: str
    tolerance: float
    agreements: tuple[Agreement, ...]
    cases: tuple[Case, ...]
    seconds_ours: float
    seconds_oracle: float
    seed: int

    def as_dict(self) -> dict:
        return asdict(self)


def run(
    hull_name: str | None = None,
    seed: int = 0,
    systems: Sequence[tuple[str, int]] = SYSTEMS,
    progress: Callable[[str], None] | None = None,
) -> OracleResult:
    """Ask both the same random questions.

    Reactants are compounds of the hull, stable or not, and mixtures of two of them with fractional amounts.

    Args:
        systems: (elements, pairs) to draw.
        progress: called with the elements of each system before it is worked on.
    """
    hull = load_hull(hull_name)
    generator = random.Random(seed)
    tally = Tally()
    for elements, pairs in systems:
        if progress is not None:
            progress(elements)
        compare_system(hull, elements.split(), pairs, generator, tally)
    return OracleResult(
        hull=hull.name,
        hull_version=hull.version,
        tolerance=TOLERANCE,
        agreements=tally.agreements(),
        cases=tuple(tally.cases),
        seconds_ours=tally.seconds[0],
        seconds_oracle=tally.seconds[1],
        seed=seed,
    )


def compare_system(hull: Hull, elements: list[str], pairs: int, generator: random.Random, tally: Tally) -> None:
    """Draw pairs from one chemical system and compare windows and interfaces."""
    compounds = [phase.composition for phase in hull.phases(elements) if len(phase.composition) > 1]
    fixed = [parse_formula(f) for f in FRACTIONAL]
    drawn = [c for c in fixed if {el.symbol for el in c.elements} <= set(elements)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        diagram = phase_diagram(hull, elements)
        grand = {voltage: grand_diagram(diagram, voltage) for voltage in VOLTAGES}
        tally.seconds[1] += time.perf_counter() - start
        for number in range(pairs):
            a, b = (_reactant(compounds, generator) for _ in range(2))
            if number < len(drawn):
                a = drawn[number]
            if any(len(c) == 1 for c in (a, b)):
                continue
            _compare_pair(hull, diagram, grand, a, b, VOLTAGES[number % len(VOLTAGES)], tally)


def _reactant(compounds: list[Composition], generator: random.Random) -> Composition:
    """A compound, or (one time in three) a mixture of two with fractional amounts."""
    first, second = generator.sample(compounds, 2)
    if generator.random() < 2 / 3:
        return first
    share = round(generator.uniform(0.1, 0.9), 3)
    return Composition({el: share * first[el] + (1 - share) * second[el] for el in {*first.elements, *second.elements}})


def _compare_pair(
    hull: Hull,
    diagram: PhaseDiagram,
    grand: dict[float, GrandPotentialPhaseDiagram],
    a: Composition,
    b: Composition,
    voltage: float,
    tally: Tally,
) -> None:
    for composition in (a, b):
        if "Li" in composition:
            _compare_window(hull, diagram, composition, tally)
    pair = f"{stated_formula(a)} | {stated_formula(b)}"
    tally.compare(
        "closed interface (eV/atom)",
        pair,
        lambda: interface(a, b, hull).reaction_energy,
        lambda: oracle_interface(diagram, a, b).worst,
    )
    tally.compare("closed kinks (eV/atom)", pair, lambda: 0.0, lambda: _largest_gap(hull, diagram, a, b))
    at = f"{pair} at {voltage} V"

    def open_oracle(total: bool) -> OracleInterface:
        return oracle_open_interface(diagram, grand[voltage], a, b, total=total)

    tally.compare(
        "open interface (eV/atom)",
        at,
        lambda: interface(a, b, hull, voltage=voltage).reaction_energy,
        lambda: open_oracle(total=False).worst,
    )
    tally.compare(
        "open interface, total (eV/atom)",
        at,
        lambda: interface(a, b, hull, voltage=voltage).total_reaction_energy,
        lambda: open_oracle(total=True).worst,
    )


def _compare_window(hull: Hull, diagram: PhaseDiagram, composition: Composition, tally: Tally) -> None:
    unit, name = stated_unit(composition), stated_formula(composition)
    mine = window(unit, hull)
    # The oracle is asked about the composition that the window is of, should a rounded formula have been balanced.
    meant = Composition(unit.as_dict() | {"Li": unit["Li"] + mine.lithium_shift})
    limits = lru_cache(lambda: oracle_window(diagram, meant))
    tally.compare("reduction limit (V)", name, lambda: window(unit, hull).reduction_limit, lambda: limits()[0])
    tally.compare("oxidation limit (V)", name, lambda: mine.oxidation_limit, lambda: limits()[1])


def _largest_gap(hull: Hull, diagram: PhaseDiagram, a: Composition, b: Composition) -> float:
    """Largest difference between pymatgen's kinks and our piecewise linear curve at the same mixing ratios."""
    mine = interface(a, b, hull).kinks
    gap = 0.0
    for ratio, energy in oracle_interface(diagram, a, b).kinks:
        right = next(i for i, kink in enumerate(mine) if kink.mixing_ratio >= ratio - 1e-9)
        low, high = mine[max(right - 1, 0)], mine[right]
        width = high.mixing_ratio - low.mixing_ratio
        share = (ratio - low.mixing_ratio) / width if width > 0 else 1.0
        gap = max(gap, abs(low.energy + share * (high.energy - low.energy) - energy))
    return gap


def markdown(result: OracleResult) -> str:
    """The report as a page."""
    rows = [(a.kind, a.n, f"{a.largest:.1e}", a.beyond_tolerance, a.oracle_failed) for a in result.agreements]
    cases = [(c.kind, c.question, c.ours, c.oracle, c.note) for c in result.cases]
    return "\n\n".join(
        [
            "# Equilibrium engine against pymatgen",
            f"Hull {result.hull} {result.hull_version}, seed {result.seed}, {len(SYSTEMS)} chemical systems of three "
            f"to eight elements, tolerance {result.tolerance:g} V or eV/atom. Written by "
            "`python -m ionscout.training.benchmarks.thermo_oracle`.",
            table(["what", "n", "largest difference", "beyond tolerance", "pymatgen failed"], rows),
            f"Time for all answers: {result.seconds_ours:.1f} s here, {result.seconds_oracle:.1f} s with pymatgen "
            "(its phase diagrams built once per system).",
            "## Cases beyond the tolerance, or without an answer of pymatgen",
            table(["what", "question", "ionscout", "pymatgen", "note"], cases) if cases else "None.",
        ]
    )


def main() -> None:
    """Run everything and write `benchmarks/thermo_oracle.{json,md}`."""
    result = run(progress=lambda elements: print(elements, file=sys.stderr))
    for path in write_report("thermo_oracle", result.as_dict(), markdown(result)):
        print(path)


if __name__ == "__main__":
    main()
